"""What the Rust tokenizers read in tokenizer.json files. Standard input: the sample texts as one line of JSON; then for each file its
length as u32 little-endian and its bytes. Standard output: the version, then a line of JSON per file: null if it is refused, else per
sample its ids and their text, or null where the reader panics."""
import json
import os
import struct
import sys

os.environ["RUST_BACKTRACE"] = "0"
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

import tokenizers
from tokenizers import Tokenizer


def reads(tokenizer, text):
    try:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        return [ids, tokenizer.decode(ids, skip_special_tokens=False)]
    except BaseException:
        return None


print(tokenizers.__version__)
stream = sys.stdin.buffer
samples = json.loads(stream.readline())
while head := stream.read(4):
    data = stream.read(struct.unpack("<I", head)[0])
    try:
        tokenizer = Tokenizer.from_buffer(data)
        tokenizer.no_truncation()
        tokenizer.no_padding()
    except BaseException:
        print("null")
        continue
    print(json.dumps([reads(tokenizer, text) for text in samples]))
