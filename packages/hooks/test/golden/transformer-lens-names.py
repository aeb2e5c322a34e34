"""Writes the public names of TransformerLens that docs/transformer-lens.md must speak of.

Needs transformer-lens (made with 3.5.1).   usage: python transformer-lens-names.py
"""

import inspect
import json
import pathlib

from transformer_lens import ActivationCache, HookedTransformer, patching
from transformer_lens.hook_points import HookPoint
from transformer_lens.HookedRootModule import HookedRootModule


def public(*classes):
    """Methods and properties that the classes define themselves."""
    return sorted({name for each in classes for name in vars(each) if not name.startswith("_") and name != "training"})


names = {
    "ActivationCache": public(ActivationCache),
    "HookedTransformer": public(HookedTransformer, HookedRootModule),
    "HookPoint": public(HookPoint),
    "patching": sorted(
        name for name, value in vars(patching).items() if name.startswith("get_act_patch") or name == "generic_activation_patch"
    ),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(names, indent=1) + "\n")
print({key: len(value) for key, value in names.items()})
