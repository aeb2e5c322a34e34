"""Tiny files as PyTorch writes them: python make-torch-files.py, in this folder (torch 2.9.1, numpy not needed).

- run.pt: {"cfg": a pickled object of a class that nobody here has, "state_dict": an OrderedDict of W [3, 5], b [5], V [5, 3]}.
- shared.pt: an OrderedDict of parameters: W and its transpose in one storage.
- dtypes.pt: one tensor each of float64, float16, bfloat16, int64, int32, uint8 and bool, and a scalar.
- linear.pt: the state_dict of a torch.nn.Linear, whose OrderedDict has an attribute _metadata.
- legacy.pt: PyTorch's container before 1.6. big-endian.pt: run.pt with its mark of byte order changed.
- expected.json: all numbers of run.pt and dtypes.pt, as doubles.
"""

import json
import sys
import types
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field

import torch

module = types.ModuleType("settings")
sys.modules["settings"] = module


@dataclass
class Run:
    name: str = "a run"
    width: int = 3
    rate: float = 4e-4
    big: int = 2**70
    nothing: object = None
    flags: object = (True, False)
    names: list = field(default_factory=lambda: ["a", "é", ""])
    device: object = torch.device("cpu")
    dtype: object = torch.float32


Run.__module__ = "settings"
module.Run = Run


def values(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


state = OrderedDict(W=values(3, 5, seed=1), b=values(5, seed=2), V=values(5, 3, seed=3))
torch.save({"cfg": Run(), "state_dict": state}, "run.pt")

shared = values(5, 3, seed=6)
torch.save(OrderedDict(turned=torch.nn.Parameter(shared.t()), W=torch.nn.Parameter(shared)), "shared.pt")

kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]
many = {str(kind).removeprefix("torch."): torch.tensor([0, 1, 1, 0]).to(kind) for kind in kinds}
many["float16"] = torch.tensor([1.5, -2.25, 6e-8, 65504.0], dtype=torch.float16)
many["bfloat16"] = torch.tensor([1.5, -2.25, 1e-38, 3e38], dtype=torch.bfloat16)
many["scalar"] = torch.tensor(2.5)
torch.save(many, "dtypes.pt")

torch.manual_seed(0)
torch.save(torch.nn.Linear(2, 3).state_dict(), "linear.pt")
torch.save({"W": torch.ones(2)}, "legacy.pt", _use_new_zipfile_serialization=False)

with zipfile.ZipFile("run.pt") as source, zipfile.ZipFile("big-endian.pt", "w", zipfile.ZIP_STORED) as target:
    for name in source.namelist():
        target.writestr(name, b"big" if name.endswith("byteorder") else source.read(name))

numbers = {
    "run": {name: tensor.flatten().tolist() for name, tensor in state.items()},
    "dtypes": {name: tensor.double().flatten().tolist() for name, tensor in many.items()},
}
with open("expected.json", "w") as file:
    json.dump(numbers, file)
    file.write("\n")
