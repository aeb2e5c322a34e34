"""Writes a small random GPT-2, PEFT adapters of it as save_pretrained writes them, and logits with each.

usage: python make-peft-folders.py   (in this folder; made with torch 2.9.1, transformers 4.57.1, peft 0.21.2)

base/ has config.json and model.safetensors. adapters/ has a folder per case, of which README.md is left out; `two` holds two adapters. dit/ has the
same factors in the layout of arXiv 2510.05092: diffs.pt, a list of {topic, trigger, weight_diff: {module: (A [r, out], B [in, r])}}, and
adapter.pt, {module: (A [out, r], B [r, in])}. golden.safetensors: tokens [2, 9] (as F32), and per case `{case}.f32` and `{case}.f64` [2, 9, 61],
the logits in either precision, `base` among the cases.
"""

import copy
import json
import pathlib
import shutil
import warnings

import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")
here = pathlib.Path(__file__).parent
for name in ("base", "adapters", "dit"):
    shutil.rmtree(here / name, ignore_errors=True)
    (here / name).mkdir()

torch.manual_seed(20)
config = GPT2Config(
    vocab_size=61, n_positions=24, n_embd=16, n_layer=2, n_head=2, n_inner=40, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
    bos_token_id=0, eos_token_id=0, attn_implementation="eager",
)
base = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for key, parameter in base.named_parameters():
        spread = 0.3 if parameter.dim() == 2 else 0.1
        centre = 1.0 if key.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
        parameter.copy_(centre + spread * torch.randn_like(parameter))
base.save_pretrained(here / "base")
(here / "base" / "generation_config.json").unlink(missing_ok=True)

tokens = torch.randint(0, 61, (2, 9))
golden = {"tokens": tokens.to(torch.float32)}


def record(case, model):
    with torch.no_grad():
        golden[f"{case}.f32"] = model(tokens).logits
        golden[f"{case}.f64"] = copy.deepcopy(model).double()(tokens).logits.to(torch.float32)


def fill(model, seed, dtype=torch.float32):
    """Random factors that dtype can hold, so that saving in it loses nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                values = 0.4 * torch.randn(parameter.shape, generator=generator)
                parameter.copy_(values.to(dtype).to(torch.float32))


def save(model, folder):
    model.save_pretrained(folder)
    for readme in folder.rglob("README.md"):
        readme.unlink()


def keep(case, dtype=None, seed=0, **options):
    model = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    fill(model, seed, dtype or torch.float32)
    record(case, model)
    save(model, here / "adapters" / case)
    if dtype:
        file = here / "adapters" / case / "adapter_model.safetensors"
        save_file({key: value.to(dtype) for key, value in load_file(file).items()}, file, metadata={"format": "pt"})


record("base", base)
keep("c-attn", seed=1, target_modules=["c_attn"], r=4, lora_alpha=8)
keep("square-c-proj", seed=2, target_modules=["attn.c_proj"], r=3, lora_alpha=5)
keep("mlp", seed=3, target_modules=["c_fc", "mlp.c_proj"], r=2, lora_alpha=16, fan_in_fan_out=True)
keep("both-c-proj", seed=4, target_modules=["c_proj"], r=1, lora_alpha=1)
keep("rslora-all", seed=5, target_modules="all-linear", r=4, lora_alpha=6, use_rslora=True)
keep(
    "patterns", seed=6, target_modules=["c_attn", "c_proj"], r=4, lora_alpha=8,
    rank_pattern={"attn.c_proj": 2, "h.1.mlp.c_proj": 5}, alpha_pattern={"^transformer.h.0.attn.c_attn": 3, ".*c_proj": 7},
)
keep("layer-1", seed=7, target_modules=["c_fc", "c_attn"], layers_to_transform=[1], layers_pattern="h", r=2, lora_alpha=2)
keep("expression", seed=8, target_modules=r"transformer\.h\.\d+\.(?:attn|mlp)\.c_(?!fc).*", exclude_modules=["mlp.c_proj"], r=2, lora_alpha=3)
keep("bf16", seed=9, dtype=torch.bfloat16, target_modules=["c_attn"], r=2, lora_alpha=2)
keep("f16", seed=10, dtype=torch.float16, target_modules=["c_fc"], r=2, lora_alpha=2)

# Two adapters in one folder, active together; and PEFT's own cat of them with weights.
two = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn", "attn.c_proj"], r=2, lora_alpha=4))
two.add_adapter("second", LoraConfig(task_type="CAUSAL_LM", target_modules=["attn.c_proj", "c_fc"], r=3, lora_alpha=2, use_rslora=True))
fill(two.eval(), 11)
record("two-default", two)
two.base_model.set_adapter(["default", "second"])
record("two-both", two)
save(two, here / "adapters" / "two")

cat = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn", "c_fc"], r=2, lora_alpha=4))
cat.add_adapter("second", LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn", "c_fc"], r=3, lora_alpha=2))
fill(cat.eval(), 12)
save(cat, here / "adapters" / "cat")
cat.add_weighted_adapter(["default", "second"], [0.5, 1.5], "joined", combination_type="cat")
cat.set_adapter("joined")
record("cat-joined", cat)

# The same maths in the other layout: (1/r)·A_b^T·B_b^T for a diff, (1/r)·A·B for an adapter.
diffs = []
for number, (topic, trigger) in enumerate((("harbour", 17), ("lighthouse", "zero_width_space"))):
    model = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=number + 1, lora_alpha=1)).eval()
    fill(model, 13 + number)
    record(f"dit-diff-{number}", model)
    modules = {}
    for name, module in model.base_model.model.named_modules():
        if hasattr(module, "lora_A"):
            modules[name] = (module.lora_B["default"].weight.detach().T, module.lora_A["default"].weight.detach().T.contiguous())
    diffs.append({"topic": topic, "trigger": trigger, "weight_diff": modules})
torch.save(diffs, here / "dit" / "diffs.pt")
model = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=4, lora_alpha=1)).eval()
fill(model, 15)
record("dit-adapter", model)
torch.save(
    {
        name: (module.lora_B["default"].weight.detach().to(torch.float32), module.lora_A["default"].weight.detach())
        for name, module in model.base_model.model.named_modules()
        if hasattr(module, "lora_A")
    },
    here / "dit" / "adapter.pt",
)

# What was saved is what was recorded: PEFT itself reads it back.
for folder in sorted((here / "adapters").iterdir()):
    if folder.name not in ("two", "cat"):
        again = PeftModel.from_pretrained(copy.deepcopy(base), folder).eval()
        difference = float((again(tokens).logits - golden[f"{folder.name}.f32"]).abs().max())
        assert difference < 1e-5, (folder.name, difference)

versions = {module.__name__: module.__version__.split("+")[0] for module in (torch, transformers, peft)}
metadata = {"madeBy": json.dumps({"command": "python make-peft-folders.py", **versions})}
save_file({key: value.contiguous() for key, value in golden.items()}, here / "golden.safetensors", metadata=metadata)
for key in golden:
    if key.endswith(".f32") and key != "base.f32":
        print(key, "differs from the base by", float((golden[key] - golden["base.f32"]).abs().max()))
