"""Logits of adapters that somebody else wrote, as PEFT loads them.

Reads {"base": folder, "folder": folder, "names": [...], "prompts": [[ids], ...]} from standard input. The adapter of a name lies in folder/name, or in
folder/name/name where it has a name of its own. Writes {name: {"f32": [...], "f64": [...]}} as JSON. A tensor that PEFT does not expect, misses, or
warns about ends it.
"""

import copy
import json
import pathlib
import sys
import warnings

import torch
from peft import PeftModel
from transformers import GPT2LMHeadModel

warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=FutureWarning)
asked = json.load(sys.stdin)
base = GPT2LMHeadModel.from_pretrained(asked["base"], attn_implementation="eager").eval()
tokens = torch.tensor(asked["prompts"])
with torch.no_grad():
    plain = base(tokens).logits
found = {}
for name in asked["names"]:
    folder = pathlib.Path(asked["folder"]) / name
    own = folder / name
    with warnings.catch_warnings():
        # rsLoRA with patterns is only a hint about conversions.
        warnings.filterwarnings("ignore", message=".*use_rslora.*")
        model = PeftModel.from_pretrained(copy.deepcopy(base), own if own.exists() else folder).eval()
    with torch.no_grad():
        f32 = model(tokens).logits
        f64 = copy.deepcopy(model).double()(tokens).logits
    assert float((f32 - plain).abs().max()) > 0.01, f"{name} changes nothing"
    found[name] = {"f32": f32.flatten().tolist(), "f64": f64.flatten().tolist()}
json.dump(found, sys.stdout)
