"""Ten AdamW updates of a random 3-layer GPT-2 by torch, in f32 and f64, and pocket's logits by transformers.

Needs torch and transformers.   usage: python make-golden.py <folder of pocket's model>
training/: config.json, model.safetensors as save_pretrained writes them, and golden.json:
  rows [10][3][T + 1]   ids of each update, the first T of a row are inputs and the last T targets
  recipe                as in limn's TrainingRecipe; decay on matrices only, one clip over all gradients
  f32, f64              the loss of each update, before it changes the weights
../pocket/logits.json: prompts (ids), and the logits behind each one's last token in f64.
Both begin with madeBy: the command, run in training/, and the versions that it ran with.
"""

import copy
import json
import math
import pathlib
import sys

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

here = pathlib.Path(__file__).parent
steps, batch, T = 10, 3, 11
recipe = dict(rate=3e-3, warmup=3, finalRate=0.1, betas=[0.9, 0.98], epsilon=1e-8, weightDecay=0.05, clipNorm=0.5)

torch.manual_seed(2024)
config = GPT2Config(
    vocab_size=41, n_positions=T, n_embd=30, n_layer=3, n_head=5, n_inner=44, activation_function="gelu_new",
    attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager",
)
model = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for key, parameter in model.named_parameters():
        centre = 1.0 if key.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
        parameter.copy_(centre + (0.2 if parameter.dim() == 2 else 0.1) * torch.randn_like(parameter))
model.save_pretrained(here)
(here / "generation_config.json").unlink(missing_ok=True)
rows = torch.randint(0, config.vocab_size, (steps, batch, T + 1))


def factor(s):
    if s < recipe["warmup"]:
        return (s + 1) / recipe["warmup"]
    part = (s - recipe["warmup"]) / (steps - recipe["warmup"])
    return recipe["finalRate"] + (1 - recipe["finalRate"]) * 0.5 * (1 + math.cos(math.pi * part))


def losses(dtype):
    twin = copy.deepcopy(model).to(dtype)
    named = list(twin.named_parameters())
    groups = [
        dict(params=[p for _, p in named if p.dim() == 2], weight_decay=recipe["weightDecay"]),
        dict(params=[p for _, p in named if p.dim() == 1], weight_decay=0.0),
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe["rate"], betas=tuple(recipe["betas"]), eps=recipe["epsilon"])
    found = []
    for s in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe["rate"] * factor(s)
        logits = twin(rows[s, :, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, config.vocab_size), rows[s, :, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        # torch divides by norm + 1e-6; by the norm itself in limn, which is what the paper says.
        norm = torch.sqrt(sum((p.grad**2).sum() for _, p in named))
        for _, p in named:
            p.grad.mul_(min(1.0, recipe["clipNorm"] / float(norm)))
        optimiser.step()
        found.append(float(loss))
    return found


made_by = dict(
    command="python make-golden.py ../../../../pocket/model",
    torch=torch.__version__.split("+")[0],
    transformers=transformers.__version__,
)
golden = dict(madeBy=made_by, recipe=recipe, rows=rows.tolist(), f32=losses(torch.float32), f64=losses(torch.float64))
(here / "golden.json").write_text(json.dumps(golden) + "\n")
print(golden["f64"])

pocket = GPT2LMHeadModel.from_pretrained(sys.argv[1]).eval().to(torch.float64)
generator = torch.Generator().manual_seed(7)
prompts = [[0] + torch.randint(1, pocket.config.vocab_size, (n,), generator=generator).tolist() for n in (1, 12, 47)]
with torch.no_grad():
    logits = [pocket(torch.tensor([ids])).logits[0, -1].tolist() for ids in prompts]
(here.parent / "pocket" / "logits.json").write_text(json.dumps(dict(madeBy=made_by, prompts=prompts, logits=logits)) + "\n")
