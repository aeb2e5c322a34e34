"""Token ids of texts by Hugging Face's Rust tokenizers. Arguments: vocab.json, merges.txt. Standard input: one JSON string per line.
Standard output: the library's version, then one JSON list of ids per line."""
import json
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

tokenizer = Tokenizer(models.BPE.from_file(sys.argv[1], sys.argv[2]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=False, special=True)])
print(tokenizers.__version__)
for line in sys.stdin.buffer:
    ids = tokenizer.encode(json.loads(line), add_special_tokens=False).ids
    print(json.dumps(ids, separators=(",", ":")))
