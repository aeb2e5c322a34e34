"""Writes a small random GPT-2 and what TransformerLens itself computes from it, raw and processed: the reference of transformer-lens.test.ts.

Needs torch, transformers and transformer-lens (made with torch 2.9.1, transformers 5.23.0, transformer-lens 3.5.1 and 2.16.1).
usage: python make-golden.py          (no network; writes config.json, model.safetensors and golden.safetensors beside this file)
       PYTHONPATH=<transformer-lens 2.16.1> python make-golden.py     (then writes golden-2.safetensors, from the same weights)

Of the hooks, the two versions differ in one: raw {norm}.hook_normalized is behind w and b in 2.x (and in ours), in front of them in 3.x.
golden-2.safetensors holds those of 2.x, and is only written when every other hook is equal to within 1e-5 (the worst are printed).

golden.safetensors holds float64 results rounded to F32, for {v} = raw (nothing done to the weights) and processed (fold_ln,
center_writing_weights, center_unembed, fold_value_biases):
  clean, corrupted [B, T]           token ids; answers [2, B]: correct, then incorrect
  {v}/logits, {v}/{hook}            of the clean prompts, every hook; attention scores of the future are 0 here
  error/{v}/{…}  [1]                Euclidean distance of TransformerLens's own float32 result from the float64 one
  {v}/lens       [2 L + 1, B, T, V] accumulated_resid(apply_ln, incl_mid) · W_U + b_U
  {v}/components [2 + 2 L, B]       decompose_resid, last position, logit difference; raw weights: with ln_final.w, which logit_attrs leaves out
  {v}/heads      [L H + 1, B]       stack_head_results with the remainder, likewise
  {v}/full       [L H + L + 3, B]   get_full_resid_decomposition without neurons, likewise
  {v}/neurons    [L M, B]           stack_neuron_results, likewise
  {v}/stack.{…}                     the same stacks before LayerNorm and unembedding, last position [n, B, C]
  sweep/{name}                      transformer_lens.patching.get_act_patch_{name}, raw weights, mean logit difference at the last position
  sweep.noise/{name}                the same with clean and corrupted exchanged
"""

import copy
import importlib.metadata
import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig, patching
from transformer_lens.pretrained.weight_conversions.gpt2 import convert_gpt2_weights
from transformers import GPT2Config, GPT2LMHeadModel

here = pathlib.Path(__file__).parent
version = importlib.metadata.version("transformer-lens")
second = version.startswith("2.")
# Read by a test: every golden file names what made it.
made_by = {"command": f"PYTHONPATH=<transformer-lens {version}> python make-golden.py" if second else "python make-golden.py"}
made_by |= {name: importlib.metadata.version(name).split("+")[0] for name in ("torch", "transformers", "transformer-lens")}
metadata = {"madeBy": json.dumps(made_by)}
L, H, C, M, V, T, B = 3, 3, 12, 20, 17, 6, 2

torch.manual_seed(2026)
config = GPT2Config(
    vocab_size=V, n_positions=8, n_embd=C, n_layer=L, n_head=H, n_inner=M, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
    bos_token_id=0, eos_token_id=0, attn_implementation="eager",
)
gpt2 = GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for key, parameter in gpt2.named_parameters():
        spread = 0.35 if parameter.dim() == 2 else 0.15
        centre = 1.0 if key.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
        parameter.copy_(centre + spread * torch.randn_like(parameter))
if not second:
    gpt2.save_pretrained(here)
    (here / "generation_config.json").unlink(missing_ok=True)

clean = torch.randint(1, V, (B, T))
corrupted = clean.clone()
corrupted[:, 1] = (corrupted[:, 1] + 5) % V
corrupted[:, 3] = (corrupted[:, 3] + 3) % V
correct, incorrect = torch.tensor([3, 8]), torch.tensor([11, 2])
out = {"clean": clean, "corrupted": corrupted, "answers": torch.stack([correct, incorrect])}


def lens_model(dtype, processed, **flags):
    """The library's own model of these weights."""
    cfg = HookedTransformerConfig(
        n_layers=L, n_heads=H, d_model=C, d_head=C // H, d_mlp=M, d_vocab=V, n_ctx=8, act_fn="gelu_new", normalization_type="LN",
        eps=config.layer_norm_epsilon, dtype=dtype, device="cpu", use_attn_result=True, use_hook_mlp_in=True, **flags,
    )
    model = HookedTransformer(cfg)
    state = {key: value.detach().to(dtype) for key, value in convert_gpt2_weights(copy.deepcopy(gpt2), cfg).items()}
    model.load_and_process_state_dict(
        state, fold_ln=processed, center_writing_weights=processed, center_unembed=processed, fold_value_biases=processed
    )
    return model.to(dtype).eval()


def results(dtype, processed):
    """Every number of one variant, by name; with 2.x only logits and hooks."""
    model = lens_model(dtype, processed)
    got = {}
    logits, cache = model.run_with_cache(clean)
    got["logits"] = logits
    for name, value in cache.items():
        got[name] = value
    _, split = lens_model(dtype, processed, use_split_qkv_input=True).run_with_cache(clean)
    for name, value in split.items():
        if name.endswith(("hook_q_input", "hook_k_input", "hook_v_input")):
            got[name] = value
    for name in got:
        if name.endswith("attn_scores"):
            got[name] = got[name].masked_fill(got[name] == float("-inf"), 0)
    if second:
        return {name: value.detach() for name, value in got.items()}
    got["lens"] = cache.accumulated_resid(layer=-1, incl_mid=True, apply_ln=True) @ model.W_U + model.b_U
    direction = model.W_U[:, correct].T - model.W_U[:, incorrect].T
    gain = 1.0 if processed else model.ln_final.w
    stacks = {
        "components": cache.decompose_resid(layer=-1, pos_slice=-1),
        "heads": cache.stack_head_results(layer=-1, pos_slice=-1, incl_remainder=True),
        "full": cache.get_full_resid_decomposition(layer=-1, expand_neurons=False, pos_slice=-1),
        "neurons": cache.stack_neuron_results(layer=-1, pos_slice=-1),
    }
    for name, stack in stacks.items():
        if name != "neurons":
            got[f"stack.{name}"] = stack
        got[name] = (cache.apply_ln_to_stack(stack, layer=-1, pos_slice=-1) * gain * direction).sum(-1)
        if processed:
            torch.testing.assert_close(got[name], cache.logit_attrs(stack, correct, incorrect, pos_slice=-1))
    return {name: value.detach().to(torch.float64) for name, value in got.items()}


if second:
    third = load_file(here / "golden.safetensors")
    assert torch.equal(third["clean"].long(), clean)
    moved, worst = {}, {}
    for variant, processed in (("raw", False), ("processed", True)):
        for name, value in results(torch.float64, processed).items():
            if not processed and name.endswith("hook_normalized"):
                moved[f"{variant}/{name}"] = value.to(torch.float32).contiguous().clone()
            else:
                worst[f"{variant}/{name}"] = float((value - third[f"{variant}/{name}"].double()).abs().max())
    assert max(worst.values()) < 1e-5, worst
    save_file(moved, here / "golden-2.safetensors", metadata=metadata)
    print(len(moved), "tensors;", "worst of the others:", sorted(worst.items(), key=lambda item: -item[1])[:3])
    raise SystemExit

for variant, processed in (("raw", False), ("processed", True)):
    exact, rounded = results(torch.float64, processed), results(torch.float32, processed)
    for name, value in exact.items():
        out[f"{variant}/{name}"] = value
        out[f"error/{variant}/{name}"] = torch.linalg.vector_norm(rounded[name] - value).reshape(1)

model = lens_model(torch.float64, False)


def metric(logits):
    return (logits[torch.arange(B), -1, correct] - logits[torch.arange(B), -1, incorrect]).mean()


for prefix, source, base in (("sweep", clean, corrupted), ("sweep.noise", corrupted, clean)):
    _, cache = model.run_with_cache(source)
    out[f"{prefix}/source"] = metric(model(source)).reshape(1)
    out[f"{prefix}/base"] = metric(model(base)).reshape(1)
    names = [f"attn_head_{x}_{at}" for x in ("out", "q", "k", "v", "pattern") for at in ("by_pos", "all_pos")]
    names += ["resid_pre", "resid_mid", "attn_out", "mlp_out", "attn_head_pattern_dest_src_pos"]
    for name in names:
        # Exchanged, one sweep by position and one by head are enough.
        if prefix == "sweep" or name in ("resid_pre", "attn_head_out_all_pos"):
            with torch.no_grad():
                out[f"{prefix}/{name}"] = getattr(patching, f"get_act_patch_{name}")(model, base, cache, metric)

save_file({name: value.detach().to(torch.float32).contiguous().clone() for name, value in out.items()}, here / "golden.safetensors", metadata=metadata)
print(len(out), "tensors", (here / "golden.safetensors").stat().st_size, "bytes")
