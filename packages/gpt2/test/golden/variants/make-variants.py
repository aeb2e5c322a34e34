"""Writes small GPT-2 repositories in the forms that are found in the wild, and the logits that transformers reads out of each.

Needs torch and transformers (made with torch 2.9.1, transformers 5.23.0).   usage: python make-variants.py
Each folder is what save_pretrained writes, or an older tool wrote, and golden.safetensors:
  tokens [2, T] (as F32), {f32,f64}.logits [2, T, V] of GPT2LMHeadModel.from_pretrained(folder) in that precision.
"""

import json
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

here = pathlib.Path(__file__).parent
# Read by a test: every golden file names what made it.
metadata = {"madeBy": json.dumps({"command": "python make-variants.py", "torch": torch.__version__.split("+")[0], "transformers": transformers.__version__})}
small = dict(vocab_size=19, n_positions=6, n_embd=8, n_layer=2, n_head=2)
cases = {
    # name: config, dtype, how it is written
    "bf16-shards": (dict(activation_function="gelu_pytorch_tanh", scale_attn_weights=False, n_inner=20), torch.bfloat16, "shards"),
    "f16-one-file": (dict(activation_function="gelu", n_inner=12), torch.float16, "pretrained"),
    "f32-no-prefix-masks": (dict(activation_function="gelu_new"), torch.float32, "openai"),
    "f32-head-equal": (dict(activation_function="gelu_new", scale_attn_by_inverse_layer_idx=True), torch.float32, "equal head"),
    "f16-untied-shards": (
        dict(activation_function="gelu", tie_word_embeddings=False, scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True),
        torch.float16, "shards",
    ),
}

for number, (name, (options, dtype, form)) in enumerate(cases.items()):
    torch.manual_seed(2000 + number)
    folder = here / name
    shutil.rmtree(folder, ignore_errors=True)
    config = GPT2Config(
        **small, **options, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager"
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 0.3 if parameter.dim() == 2 else 0.1
            centre = 1.0 if key.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
            parameter.copy_(centre + spread * torch.randn_like(parameter))
    model = model.to(dtype)
    if form == "shards":
        model.save_pretrained(folder, max_shard_size="2KB")
    elif form == "pretrained":
        model.save_pretrained(folder)
    else:
        model.save_pretrained(folder)
        state = {key: value.clone() for key, value in model.state_dict().items() if key != "lm_head.weight"}
        if form == "openai":
            # As OpenAI's own files are: no prefix, and the causal masks among the weights.
            state = {key.removeprefix("transformer."): value for key, value in state.items()}
            for layer in range(config.n_layer):
                n = config.n_positions
                state[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(n, n)).view(1, 1, n, n)
                state[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
        else:
            state["lm_head.weight"] = model.transformer.wte.weight.detach().clone()
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokens = torch.randint(0, config.vocab_size, (2, config.n_positions))
    out = {"tokens": tokens.to(torch.float32)}
    for label, precision in (("f32", torch.float32), ("f64", torch.float64)):
        read = GPT2LMHeadModel.from_pretrained(folder, dtype=precision, attn_implementation="eager").eval()
        with torch.no_grad():
            out[f"{label}.logits"] = read(tokens).logits.contiguous()
    save_file(out, folder / "golden.safetensors", metadata=metadata)
    print(name, json.loads((folder / "config.json").read_text()).get("dtype"), sorted(path.name for path in folder.iterdir()))
