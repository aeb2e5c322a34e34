"""What the reference reader says of files. Standard input: for each file its length as u32 little-endian, then its bytes.
Standard output: one line per file, "accepted" or "refused" with the reader's own words."""
import struct
import sys

import safetensors

print(safetensors.__version__)
stream = sys.stdin.buffer
while head := stream.read(4):
    data = stream.read(struct.unpack("<I", head)[0])
    try:
        safetensors.deserialize(data)
        print("accepted")
    except Exception as error:  # the reader's own error class, and whatever else it lets through
        print("refused:", str(error).replace("\n", " ")[:200])
