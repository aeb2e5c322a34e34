"""Tiny dictionaries as other tools keep them, with what each tool's formula makes of four inputs: python make-dictionary-files.py, in this folder.

Made with torch 2.9.1, safetensors and PyYAML. The formulas are written out here, as each library's forward pass has them; x is [4, 3].
Folders: saelens-* (cfg.json, sae_weights.safetensors), circuit-tracer and circuit-tracer-old (config.yaml, layer_i.safetensors), clt
(W_enc_i, W_dec_i), sparsify (a folder for each hook point). expected.json: x, and y by folder (by file where a folder has more than one).
"""

import json
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

here = Path(__file__).parent / "formats"
D, F = 3, 5
generator = torch.Generator().manual_seed(11)
draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).float()
x = draw(4, D)
expected = {"x": x.tolist()}


def top(h, k):
    """The k largest of a row, those that are positive."""
    values, places = h.topk(k, dim=-1)
    return torch.zeros_like(h).scatter(-1, places, values.relu())


def saelens(name, cfg, formula, **more):
    tensors = {"W_enc": draw(D, F), "b_enc": draw(F), "W_dec": draw(F, D), "b_dec": draw(D), **more}
    folder = here / f"saelens-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"d_in": D, "d_sae": F, "dtype": "float32", "device": "cuda", **cfg}, indent=1) + "\n")
    expected[f"saelens-{name}"] = formula(**tensors).tolist()


def now(architecture, **fields):
    transcoder = architecture.endswith("transcoder")
    metadata = {
        "model_name": "gpt2",
        "hook_name": "blocks.4.ln2.hook_normalized" if transcoder else "blocks.4.hook_mlp_out",
        "hook_head_index": None,
        "prepend_bos": True,
        "model_from_pretrained_kwargs": {},
        "sae_lens_version": "6.18.0",
    }
    out = {"d_out": D, "hook_name_out": "blocks.4.hook_mlp_out"} if transcoder else {}
    if transcoder:
        metadata["hook_name_out"] = out["hook_name_out"]
    return {
        "architecture": architecture,
        "apply_b_dec_to_input": not transcoder,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **out,
        **fields,
        "metadata": metadata,
    }


saelens("transcoder", now("transcoder"), lambda W_enc, b_enc, W_dec, b_dec: (x @ W_enc + b_enc).relu() @ W_dec + b_dec)
saelens(
    "skip_transcoder",
    now("skip_transcoder"),
    lambda W_enc, b_enc, W_dec, b_dec, W_skip: (x @ W_enc + b_enc).relu() @ W_dec + b_dec + x @ W_skip.T,
    W_skip=draw(D, D),
)
jump = lambda h, threshold: h.relu() * (h > threshold)
saelens(
    "jumprelu_transcoder",
    now("jumprelu_transcoder"),
    lambda W_enc, b_enc, W_dec, b_dec, threshold: jump(x @ W_enc + b_enc, threshold) @ W_dec + b_dec,
    threshold=torch.tensor([0.0, 0.01, 0.7, 0.25, 1.5]),
)
sae = lambda phi: lambda W_enc, b_enc, W_dec, b_dec: phi((x - b_dec) @ W_enc + b_enc) @ W_dec + b_dec
saelens("standard", now("standard"), sae(torch.relu))
saelens("topk", now("topk", k=2, rescale_acts_by_decoder_norm=False), sae(lambda h: top(h, 2)))


def rescaled(W_enc, b_enc, W_dec, b_dec):
    norm = W_dec.norm(dim=-1)
    return top(((x - b_dec) @ W_enc + b_enc) * norm, 2) / norm @ W_dec + b_dec


saelens("rescaled", now("topk", k=2, rescale_acts_by_decoder_norm=True), rescaled)
old = {
    "model_name": "gpt2-small",
    "hook_point": "blocks.7.hook_mlp_out",
    "hook_point_layer": 7,
    "hook_point_head_index": None,
    "activation_fn_str": "topk",
    "activation_fn_kwargs": {"k": 2},
    "prepend_bos": False,
    "normalize_activations": "none",
    "sae_lens_training_version": "3.5.0",
}
saelens("old", old, sae(lambda h: top(h, 2)))


def tracer(name, transposed):
    folder = here / name
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_name": "gpt2",
        "model_kind": "transcoder_set",
        "feature_input_hook": "mlp.hook_in",
        "feature_output_hook": "mlp.hook_out",
        "scan": "org/repo@main",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for layer in range(2):
        t = {"W_enc": draw(F, D), "W_dec": draw(F, D), "b_enc": draw(F), "b_dec": draw(D)}
        phi = torch.relu
        y = (x @ t["W_enc"].T + t["b_enc"]).relu() @ t["W_dec"] + t["b_dec"]
        if layer == 1:
            t["activation_function.threshold"] = torch.tensor([0.0, 0.01, 0.7, 0.25, 1.5])
            t["W_skip"] = draw(D, D)
            a = jump(x @ t["W_enc"].T + t["b_enc"], t["activation_function.threshold"])
            y = a @ t["W_dec"] + t["b_dec"] + x @ t["W_skip"].T
        if transposed:
            t["W_dec"] = t["W_dec"].T.contiguous()
        save_file(t, folder / f"layer_{layer}.safetensors")
        expected[f"{name}/layer_{layer}.safetensors"] = y.tolist()


tracer("circuit-tracer", False)
tracer("circuit-tracer-old", True)

layers = 3
folder = here / "clt"
folder.mkdir(parents=True, exist_ok=True)
(folder / "config.yaml").write_text(
    'model_name: "gpt2"\nmodel_kind: "cross_layer_transcoder"\nfeature_input_hook: "hook_resid_mid"\nfeature_output_hook: "hook_mlp_out"\n'
)
y = [torch.zeros(4, D) for _ in range(layers)]
for i in range(layers):
    enc = {f"W_enc_{i}": draw(F, D), f"b_enc_{i}": draw(F), f"b_dec_{i}": draw(D), f"threshold_{i}": draw(F).abs()}
    dec = draw(F, layers - i, D)
    a = jump(x @ enc[f"W_enc_{i}"].T + enc[f"b_enc_{i}"], enc[f"threshold_{i}"])
    y[i] += enc[f"b_dec_{i}"]
    for j in range(layers - i):
        y[i + j] += a @ dec[:, j]
    save_file(enc, folder / f"W_enc_{i}.safetensors")
    save_file({f"W_dec_{i}": dec}, folder / f"W_dec_{i}.safetensors")
expected["clt"] = [each.tolist() for each in y]

for hookpoint, transcode, skip in [("h.5.mlp", True, True), ("layers.2.mlp", False, False)]:
    folder = here / "sparsify" / hookpoint
    folder.mkdir(parents=True, exist_ok=True)
    t = {"encoder.weight": draw(F, D), "encoder.bias": draw(F), "W_dec": draw(F, D), "b_dec": draw(D)}
    if skip:
        t["W_skip"] = draw(D, D)
    cfg = {"activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": F, "k": 2, "multi_topk": False}
    (folder / "cfg.json").write_text(json.dumps({**cfg, "skip_connection": skip, "transcode": transcode, "d_in": D}) + "\n")
    shifted = x if transcode else x - t["b_dec"]
    y = top(shifted @ t["encoder.weight"].T + t["encoder.bias"], 2) @ t["W_dec"] + t["b_dec"]
    expected[f"sparsify/{hookpoint}"] = (y + x @ t["W_skip"].T if skip else y).tolist()
    save_file(t, folder / "sae.safetensors")
(here / "sparsify" / "config.json").write_text('{"sae": {"k": 2}, "batch_size": 32}\n')

(here / "expected.json").write_text(json.dumps(expected) + "\n")
