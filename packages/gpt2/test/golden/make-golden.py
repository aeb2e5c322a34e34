"""Writes small random GPT-2 models with transformers, and their logits, hidden states and gradients from torch in f32 and f64.

Needs torch and transformers (made with torch 2.9.1, transformers 5.23.0).   usage: python make-golden.py
Each folder gets config.json and model.safetensors as save_pretrained writes them, and golden.safetensors:
  tokens [B, T] (as F32), {f32,f64}.logits [B, T, V], {f32,f64}.hidden.{i} [B, T, C], {f32,f64}.loss [], {f32,f64}.grad.{parameter}
The loss is the mean cross-entropy of tokens 1..T-1.
"""

import copy
import json
import pathlib

import torch
import transformers
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

here = pathlib.Path(__file__).parent
# Read by a test: every golden file names what made it.
metadata = {"madeBy": json.dumps({"command": "python make-golden.py", "torch": torch.__version__.split("+")[0], "transformers": transformers.__version__})}
cases = {
    "tied-tanh": dict(vocab_size=37, n_positions=13, n_embd=24, n_layer=3, n_head=3, n_inner=40, activation_function="gelu_new"),
    "untied-erf": dict(
        vocab_size=23, n_positions=7, n_embd=12, n_layer=2, n_head=2, n_inner=None, activation_function="gelu",
        tie_word_embeddings=False, scale_attn_by_inverse_layer_idx=True,
    ),
}

for number, (name, options) in enumerate(cases.items()):
    torch.manual_seed(1000 + number)
    config = GPT2Config(
        **options, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager"
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 0.3 if parameter.dim() == 2 else 0.1
            centre = 1.0 if key.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
            parameter.copy_(centre + spread * torch.randn_like(parameter))
    model.save_pretrained(here / name)
    (here / name / "generation_config.json").unlink(missing_ok=True)
    tokens = torch.randint(0, config.vocab_size, (3, config.n_positions))
    out = {"tokens": tokens.to(torch.float32)}
    for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        twin = copy.deepcopy(model).to(dtype)
        result = twin(tokens, labels=tokens, output_hidden_states=True)
        result.loss.backward()
        out[f"{label}.logits"] = result.logits.detach()
        out[f"{label}.loss"] = result.loss.detach()
        for i, hidden in enumerate(result.hidden_states):
            out[f"{label}.hidden.{i}"] = hidden.detach()
        for key, parameter in twin.named_parameters():
            out[f"{label}.grad.{key}"] = parameter.grad
    save_file({key: value.contiguous().clone() for key, value in out.items()}, here / name / "golden.safetensors", metadata=metadata)
    print(name, float(result.loss))
