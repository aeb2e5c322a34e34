"""Greedy generation by transformers for the models of this folder: new tokens and their log-probabilities.

Needs torch and transformers; both versions stand in the file's madeBy.   usage: python generation.py > generation.json
Log-probabilities are those of the logits before any processor; every prompt runs alone, so that there is no padding.
"""

import json
import pathlib

import torch
import transformers
from transformers import GPT2LMHeadModel

here = pathlib.Path(__file__).parent
cases = []
for name, prompts, new_tokens in [
    ("tied-tanh", [[1, 2, 3], [36, 0, 7, 7, 20], [11]], 8),
    ("untied-erf", [[4], [1, 22, 3], [5, 5]], 4),
]:
    model = GPT2LMHeadModel.from_pretrained(here / name).eval()
    plain = None
    for penalty, least in [(1.0, 0), (1.0, 3), (1.4, 0), (0.7, 2)]:
        # The second token of the first plain continuation ends rows, where it may.
        eos = plain[0][1] if plain else None
        rows = []
        for prompt in prompts:
            ids = torch.tensor([prompt])
            made = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=new_tokens,
                min_new_tokens=least, repetition_penalty=penalty, eos_token_id=eos, pad_token_id=0,
                output_logits=True, return_dict_in_generate=True,
            )
            tokens = made.sequences[0, len(prompt):].tolist()
            logs = [float(logits[0].log_softmax(-1)[id]) for id, logits in zip(tokens, made.logits)]
            rows.append(dict(tokens=tokens, logs=[round(log, 6) for log in logs]))
        if plain is None:
            plain = [row["tokens"] for row in rows]
        cases.append(dict(model=name, prompts=prompts, newTokens=new_tokens, penalty=penalty, least=least, eos=eos, rows=rows))
made_by = dict(
    command="python generation.py > generation.json",
    torch=torch.__version__.split("+")[0],
    transformers=transformers.__version__,
)
print(json.dumps(dict(madeBy=made_by, cases=cases)))
