"""Tiny files as PyTorch writes them: python make-torch-files.py, in this folder (torch 2.9.1, numpy not needed).

- transcoder.pt: {"cfg": a pickled config object of a class that nobody here has, "state_dict": an OrderedDict}, as the code of
  arXiv 2406.11944 saves its transcoders (d_in 3, d_sae 5, d_out 3).
- sae.pt: the same of an SAE, with parameters instead of tensors, a device and a dtype in its config, and a transposed W_enc that
  shares its storage.
- log-sparsity.pt: a bare tensor [5]. freqs.pt: {'freqs': tensor [5]}.
- expected.json: their numbers, as doubles.
"""

import json
import sys
import types
from collections import OrderedDict
from dataclasses import dataclass, field

import torch

module = types.ModuleType("sae_training.config")
sys.modules["sae_training"] = types.ModuleType("sae_training")
sys.modules["sae_training.config"] = module


@dataclass
class LanguageModelSAERunnerConfig:
    hook_point: str = "blocks.8.ln2.hook_normalized"
    hook_point_layer: int = 8
    hook_point_head_index: object = None
    out_hook_point: str = "blocks.8.hook_mlp_out"
    out_hook_point_layer: int = 8
    is_transcoder: bool = True
    model_name: str = "gpt2-small"
    d_in: int = 3
    d_out: int = 3
    d_sae: int = 5
    l1_coefficient: float = 1.4e-4
    lr: float = 4e-4
    total_training_tokens: int = 60_000_000
    big: int = 2**70
    use_ghost_grads: object = (True,)
    betas: tuple = (0.9, 0.999)
    names: list = field(default_factory=lambda: ["a", "é", ""])
    device: object = "cuda"
    dtype: object = None


LanguageModelSAERunnerConfig.__module__ = "sae_training.config"
module.LanguageModelSAERunnerConfig = LanguageModelSAERunnerConfig


def values(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator)


state = OrderedDict(
    W_enc=values(3, 5, seed=1),
    b_enc=values(5, seed=2),
    W_dec=values(5, 3, seed=3),
    b_dec=values(3, seed=4),
    b_dec_out=values(3, seed=5),
)
torch.save({"cfg": LanguageModelSAERunnerConfig(), "state_dict": state}, "transcoder.pt")

shared = values(5, 3, seed=6)
sae = OrderedDict(
    W_enc=torch.nn.Parameter(shared.t()),
    b_enc=torch.nn.Parameter(values(5, seed=7)),
    W_dec=torch.nn.Parameter(shared),
    b_dec=torch.nn.Parameter(values(3, seed=8)),
)
config = LanguageModelSAERunnerConfig(
    hook_point="blocks.2.hook_mlp_out",
    hook_point_layer=2,
    is_transcoder=False,
    device=torch.device("cpu"),
    dtype=torch.float32,
)
torch.save({"cfg": config, "state_dict": sae}, "sae.pt")

log_sparsity = torch.log10(torch.tensor([0.5, 0.25, 0.0, 1e-3, 1e-5]) + 1e-10)
torch.save(log_sparsity, "log-sparsity.pt")
torch.save({"freqs": log_sparsity}, "freqs.pt")

numbers = {
    "transcoder": {name: tensor.flatten().tolist() for name, tensor in state.items()},
    "sae": {name: tensor.detach().flatten().tolist() for name, tensor in sae.items()},
    "logSparsity": log_sparsity.tolist(),
}
with open("expected.json", "w") as file:
    json.dump(numbers, file)
    file.write("\n")
