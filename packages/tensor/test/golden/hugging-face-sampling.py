"""What Hugging Face's logits processors leave of random logits: adjusted scores of kept tokens, by the real library.

Needs torch and transformers (made with torch 2.9.1, transformers 5.23.0).   usage: python hugging-face-sampling.py > hugging-face-sampling.json
Order as in its generation: repetition penalty, barred end tokens, temperature, top-k, top-p. Logits are multiples of 1/1024, exact in f32.
"""

import json

import torch
import transformers
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

settings = [
    dict(penalty=1.3),
    dict(penalty=0.8, temperature=0.7),
    dict(temperature=1.7, topK=5),
    dict(topK=1),
    dict(topP=0.9),
    dict(topP=0.35, temperature=0.5),
    dict(topP=0.05),
    dict(penalty=1.5, temperature=1.2, topK=20, topP=0.8, barred=[0, 7, 8]),
    dict(penalty=2.0, temperature=2.5, topK=60, topP=0.97, barred=[3]),
]


def processors(how):
    if "penalty" in how:
        yield RepetitionPenaltyLogitsProcessor(how["penalty"])
    if "barred" in how:
        yield SuppressTokensLogitsProcessor(how["barred"])
    if "temperature" in how:
        yield TemperatureLogitsWarper(how["temperature"])
    if "topK" in how:
        yield TopKLogitsWarper(how["topK"])
    if "topP" in how:
        yield TopPLogitsWarper(how["topP"])


generator = torch.Generator().manual_seed(11)
cases = []
for how in settings:
    for width in (11, 64, 257):
        # Distinct logits: equal ones at the k-th place all stay in Hugging Face.
        logits = (torch.randperm(8 * width, generator=generator)[:width] / (1.2 * width) - 3).mul(1024).round().div(1024)
        assert logits.unique().numel() == width
        ids = torch.randint(width, (6,), generator=generator)
        how = {**how, "barred": [id for id in how["barred"] if id < width]} if "barred" in how else how
        scores = logits[None].clone()
        for processor in processors(how):
            scores = processor(ids[None], scores)
        chances = scores.softmax(-1)[0]
        kept = scores[0].isfinite().nonzero()[:, 0].tolist()
        cases.append(
            dict(
                how=how,
                logits1024=(logits * 1024).int().tolist(),
                seen=ids.tolist(),
                kept=kept,
                chances=[round(float(chances[id]), 7) for id in kept],
            )
        )
print(json.dumps(dict(transformers=transformers.__version__, torch=torch.__version__.split("+")[0], cases=cases)))
