"""Writes cross-layer-runs.json: what PyTorch makes of 100 updates of small cross-layer transcoders, from the same numbers as limn's.

Needs torch (made with torch 2.9.1).   usage: python make-cross-layer-runs.py
Inputs and first weights come from the formula `grid` of training_parts.py, which training-inputs.ts has too and which f32 holds exactly.
Each run: its settings, the loss of every update, the gradients of the first one, the weights after the last, which features of each layer
fired (bit f of a word per row, every tenth update), and BatchTopK's thresholds after every update. Arrays are little-endian in base64.
The weight of sparsity rises linearly over the whole run.
"""
import base64, json
from pathlib import Path

import numpy as np
import torch

from training_parts import Jump, grid, keep

torch.set_num_threads(1)
LAYERS, ROWS, WIDTH, FEATURES, UPDATES, EVERY = 3, 32, 6, 16, 100, 10
RATE = 3e-3


def batch(update):
    """x of each layer, and y_l,o = x_l,o x_0,o+1 + x_l,o+2 / 2, exact in f32: later layers write what layer 0 reads."""
    xs = [grid(10_000_000 + (update * LAYERS + l) * ROWS * WIDTH, (ROWS, WIDTH)) for l in range(LAYERS)]
    return xs, [x * xs[0].roll(-1, 1) + 0.5 * x.roll(-2, 1) for x in xs]


def run(activation, loss, deadAfter=None):
    kind = activation["kind"]
    p = {}
    for i in range(LAYERS):
        p[f"wEnc.{i}"] = grid(10_000 * i, (FEATURES, WIDTH)) / 4
        p[f"bEnc.{i}"] = torch.zeros(FEATURES)
        if kind == "jump-relu":
            p[f"logThreshold.{i}"] = torch.full((FEATURES,), float(np.log(np.float32(0.125))))
        for l in range(i, LAYERS):
            p[f"wDec.{i}.{l}"] = grid(10_000 * i + 1000 * (l + 1), (FEATURES, WIDTH)) / 4
        p[f"bDec.{i}"] = torch.zeros(WIDTH)
    p = {name: torch.nn.Parameter(value) for name, value in p.items()}
    adam = torch.optim.Adam(list(p.values()), lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    since = [torch.zeros(FEATURES, dtype=torch.int64) for _ in range(LAYERS)]
    threshold = [0.0] * LAYERS
    losses, masks, thresholds, first, most_dead = [], [], [], None, 0
    for update in range(UPDATES):
        xs, ys = batch(update)
        hs, acts, thetas, norms = [], [], [], []
        for i in range(LAYERS):
            h = xs[i] @ p[f"wEnc.{i}"].T + p[f"bEnc.{i}"]
            theta = p[f"logThreshold.{i}"].exp() if kind == "jump-relu" else torch.zeros(FEATURES)
            if kind == "relu":
                a = h.relu()
            elif kind == "top-k":
                a = keep(h, activation["k"])
            elif kind == "batch-top-k":
                a = keep(h.reshape(1, -1), activation["k"] * ROWS).reshape(h.shape)
                threshold[i] = 0.99 * threshold[i] + 0.01 * a.detach()[a.detach() > 0].min().item()
            else:
                a = Jump.apply(h, theta, activation["bandwidth"])
            hs.append(h), acts.append(a), thetas.append(theta)
            norms.append(torch.cat([p[f"wDec.{i}.{l}"] for l in range(i, LAYERS)], dim=1).norm(dim=1))
        if kind == "batch-top-k":
            thresholds.append(list(threshold))
        dead = [each >= deadAfter if deadAfter else torch.zeros(FEATURES, dtype=torch.bool) for each in since]
        count = int(sum(each.sum() for each in dead))
        most_dead = max(most_dead, count)
        total = torch.zeros(())
        for l in range(LAYERS):
            e = sum(acts[i] @ p[f"wDec.{i}.{l}"] for i in range(l + 1)) + p[f"bDec.{l}"] - ys[l]
            variance = (ys[l] - ys[l].mean(0)).square().sum()
            total = total + {"sum": lambda: e.square().sum(1).mean(), "fvu": lambda: e.square().sum() / variance}[
                loss["reconstruction"]
            ]()
            if "auxiliary" in loss and count > 0:
                term = loss["auxiliary"]
                rebuilt = sum(
                    keep(hs[i].masked_fill(~dead[i], -torch.inf), term["features"]) @ p[f"wDec.{i}.{l}"]
                    for i in range(l + 1)
                )
                scale = min(count / (term["features"] * LAYERS), 1)
                total = total + term["weight"] * scale * (rebuilt + e.detach()).square().sum() / variance
        if "sparsity" in loss:
            term = loss["sparsity"]
            for a, norm in zip(acts, norms):
                value = {
                    "l1-decoder": lambda: (a * norm).sum(1).mean(),
                    "tanh": lambda: (term["steepness"] * norm * a).tanh().sum(1).mean(),
                }[term["kind"]]()
                total = total + term["weight"] * (update + 1) / UPDATES * value
        if "preActivation" in loss:
            for h, theta, each, norm in zip(hs, thetas, dead, norms):
                total = total + loss["preActivation"]["weight"] * ((theta - h).relu() * each * norm).sum(1).mean()
        adam.zero_grad()
        total.backward()
        losses.append(total.item())
        if first is None:
            first = {name: value.grad.clone() for name, value in p.items()}
        fires = [a.detach() > 0 for a in acts]
        if update % EVERY == 0:
            masks += [(each * (2 ** torch.arange(FEATURES))).sum(1) for each in fires]
        since = [torch.where(each.any(0), 0, old + ROWS) for each, old in zip(fires, since)]
        adam.step()
    text = lambda values, dtype: base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode()
    floats = lambda tensors: {name: text(value.detach().numpy(), "<f4") for name, value in tensors.items()}
    return {
        "activation": activation,
        "loss": loss,
        **({"deadAfter": deadAfter} if deadAfter else {}),
        "losses": text(losses, "<f4"),
        "fires": text(torch.cat(masks).numpy(), "<u4"),
        **({"thresholds": text(thresholds, "<f8")} if thresholds else {}),
        "gradients": floats(first),
        "weights": floats(p),
        "mostDead": most_dead,
    }


tanh = {"kind": "tanh", "weight": 8, "steepness": 1}
auxiliary = {"features": 2, "weight": 0.03125}
runs = {
    "relu and L1 by decoder norm": run(
        {"kind": "relu"}, {"reconstruction": "sum", "sparsity": {"kind": "l1-decoder", "weight": 0.05}}
    ),
    "jump-relu, tanh and pre-activation loss": run(
        {"kind": "jump-relu", "bandwidth": 0.5},
        {"reconstruction": "sum", "sparsity": tanh, "preActivation": {"weight": 0.01}},
        deadAfter=32,
    ),
    "top-k and AuxK": run({"kind": "top-k", "k": 2}, {"reconstruction": "fvu", "auxiliary": auxiliary}, deadAfter=64),
    "batch-top-k": run({"kind": "batch-top-k", "k": 3}, {"reconstruction": "sum"}),
}
for name, each in runs.items():
    losses = np.frombuffer(base64.b64decode(each["losses"]), "<f4")
    fires = np.frombuffer(base64.b64decode(each["fires"]), "<u4")
    mean = lambda words: np.mean([bin(w).count("1") for w in words])
    at = LAYERS * ROWS
    print(f"{name}: loss {losses[0]:.4g} -> {losses[-1]:.4g}, L0 {mean(fires[:at]):.1f} -> {mean(fires[-at:]):.1f}, at most {each['mostDead']} dead")
facts = {"torch": torch.__version__, "layers": LAYERS, "rows": ROWS, "width": WIDTH, "features": FEATURES, "updates": UPDATES, "every": EVERY, "rate": RATE}
Path(__file__).with_name("cross-layer-runs.json").write_text(json.dumps({**facts, "runs": runs}, indent=1) + "\n")
