"""Writes training-runs.json: what PyTorch makes of 200 updates of small dictionaries, each from the same numbers as limn's.

Needs torch (made with torch 2.9.1).   usage: python make-training-runs.py
Inputs, targets and first weights come from the formula `grid` of training_parts.py, which training-inputs.ts has too and which f32 holds exactly.
Each run: its settings, the loss of every update, the gradients of the first one, the weights after the last, which features fired
(bit f of a word per row, every tenth update), and BatchTopK's threshold after every update. Arrays are little-endian in base64.
"""
import base64, json
from pathlib import Path

import numpy as np
import torch

from training_parts import Jump, Step, grid, keep

torch.set_num_threads(1)
ROWS, WIDTH, FEATURES, UPDATES, EVERY = 32, 6, 24, 200, 10
RATE = 3e-3


def batch(update):
    x = grid(10_000_000 + update * ROWS * WIDTH, (ROWS, WIDTH))
    return x, x * x.roll(-1, 1) + 0.5 * x.roll(-2, 1)


def run(activation, loss, skip=False, unitDecoder=False, deadAfter=None):
    kind = activation["kind"]
    p = {
        "wEnc": grid(0, (FEATURES, WIDTH)) / 4,
        "bEnc": torch.zeros(FEATURES),
        "wDec": grid(1000, (FEATURES, WIDTH)) / 4,
        "bDec": torch.zeros(WIDTH),
    }
    if kind == "jump-relu":
        p["logThreshold"] = torch.full((FEATURES,), -2.0)
    if skip:
        p["wSkip"] = torch.zeros(WIDTH, WIDTH)
    p = {name: torch.nn.Parameter(value) for name, value in p.items()}
    adam = torch.optim.Adam(list(p.values()), lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    since = torch.zeros(FEATURES, dtype=torch.int64)
    losses, masks, thresholds, first = [], [], [], None
    threshold, most_dead = 0.0, 0
    for update in range(UPDATES):
        x, y = batch(update)
        if unitDecoder:
            p["wDec"].data /= p["wDec"].data.norm(dim=1, keepdim=True)
        h = x @ p["wEnc"].T + p["bEnc"]
        theta = p["logThreshold"].exp() if kind == "jump-relu" else None
        if kind == "relu":
            a = h.relu()
        elif kind == "top-k":
            a = keep(h, activation["k"])
        elif kind == "batch-top-k":
            a = keep(h.reshape(1, -1), activation["k"] * ROWS).reshape(h.shape)
            least = a.detach()[a.detach() > 0].min().item()
            threshold = 0.99 * threshold + 0.01 * least
            thresholds.append(threshold)
        else:
            a = Jump.apply(h, theta, activation["bandwidth"])
        out = a @ p["wDec"] + p["bDec"]
        if skip:
            out = out + x @ p["wSkip"]
        e = out - y
        variance = (y - y.mean(0)).square().sum()
        total = {
            "paper": lambda: (e.square() / y.norm(dim=1, keepdim=True)).mean(),
            "sum": lambda: e.square().sum(1).mean(),
            "fvu": lambda: e.square().sum() / variance,
        }[loss["reconstruction"]]()
        norms = p["wDec"].norm(dim=1)
        dead = since >= deadAfter if deadAfter else torch.zeros(FEATURES, dtype=torch.bool)
        most_dead = max(most_dead, int(dead.sum()))
        if "sparsity" in loss:
            term = loss["sparsity"]
            total = total + term["weight"] * {
                "l1": lambda: a.sum(1).mean(),
                "l1-decoder": lambda: (a * norms).sum(1).mean(),
                "l0": lambda: Step.apply(h, theta, activation["bandwidth"]).sum(1).mean(),
                "tanh": lambda: (term["steepness"] * norms * a).tanh().sum(1).mean(),
            }[term["kind"]]()
        if "auxiliary" in loss and dead.any():
            term = loss["auxiliary"]
            count = int(dead.sum())
            rebuilt = keep(h.masked_fill(~dead, -torch.inf), min(term["features"], count)) @ p["wDec"]
            scale = min(count / term["features"], 1)
            total = total + term["weight"] * scale * (rebuilt + e.detach()).square().sum() / variance
        if "preActivation" in loss:
            short = (theta - h).relu() * dead * norms
            total = total + loss["preActivation"]["weight"] * short.sum(1).mean()
        adam.zero_grad()
        total.backward()
        if unitDecoder:
            w, g = p["wDec"].data, p["wDec"].grad
            g -= (g * w).sum(1, keepdim=True) * w
        losses.append(total.item())
        if first is None:
            first = {name: value.grad.clone() for name, value in p.items()}
        fires = a.detach() > 0
        if update % EVERY == 0:
            masks.append((fires * (2 ** torch.arange(FEATURES))).sum(1))
        since = torch.where(fires.any(0), 0, since + ROWS)
        adam.step()
    text = lambda values, dtype: base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode()
    floats = lambda tensors: {name: text(value.detach().numpy(), "<f4") for name, value in tensors.items()}
    return {
        "activation": activation,
        "loss": loss,
        "skip": skip,
        "unitDecoder": unitDecoder,
        **({"deadAfter": deadAfter} if deadAfter else {}),
        "losses": text(losses, "<f4"),
        "fires": text(torch.cat(masks).numpy(), "<u4"),
        **({"thresholds": text(thresholds, "<f8")} if thresholds else {}),
        "gradients": floats(first),
        "weights": floats(p),
        "mostDead": most_dead,
    }


l1 = lambda weight, kind="l1": {"kind": kind, "weight": weight}
jump = {"kind": "jump-relu", "bandwidth": 0.5}
runs = {
    "relu and L1, unit decoder": run(
        {"kind": "relu"}, {"reconstruction": "paper", "sparsity": l1(2e-3)}, unitDecoder=True
    ),
    "relu and L1 by decoder norm, skip": run(
        {"kind": "relu"}, {"reconstruction": "sum", "sparsity": l1(0.05, "l1-decoder")}, skip=True
    ),
    "top-k and AuxK": run(
        {"kind": "top-k", "k": 3},
        {"reconstruction": "fvu", "auxiliary": {"features": 3, "weight": 0.03125}},
        deadAfter=64,
    ),
    "batch-top-k": run({"kind": "batch-top-k", "k": 4}, {"reconstruction": "sum"}),
    "jump-relu and L0": run(jump, {"reconstruction": "sum", "sparsity": l1(0.1, "l0")}),
    "jump-relu, tanh, pre-activation loss and skip": run(
        jump,
        {
            "reconstruction": "sum",
            "sparsity": {"kind": "tanh", "weight": 2, "steepness": 4},
            "preActivation": {"weight": 0.01},
        },
        skip=True,
        deadAfter=64,
    ),
}
for name, each in runs.items():
    losses = np.frombuffer(base64.b64decode(each["losses"]), "<f4")
    fires = np.frombuffer(base64.b64decode(each["fires"]), "<u4")
    mean = lambda words: np.mean([bin(w).count("1") for w in words])
    print(f"{name}: loss {losses[0]:.4g} -> {losses[-1]:.4g}, L0 {mean(fires[:32]):.1f} -> {mean(fires[-32:]):.1f}, at most {each['mostDead']} dead")
facts = {"torch": torch.__version__, "rows": ROWS, "width": WIDTH, "features": FEATURES, "updates": UPDATES, "every": EVERY, "rate": RATE}
Path(__file__).with_name("training-runs.json").write_text(json.dumps({**facts, "runs": runs}, indent=1) + "\n")
