"""Writes control-vectors.json: control-vector files as the tools that make them write them, with what is in them.

Needs gguf and numpy (made with gguf 0.19.0, numpy 2.4.6).   usage: python make-control-vectors.py
Each entry: the file in base64, as gguf's own writer makes it, and its vectors as gguf's own reader reads them back.
`repeng` has the calls of repeng's export_gguf, `llama` the fields of llama.cpp's cvector-generator (a signed layer_count),
`easysteer` EasySteer's own fields, `halves` f16 tensors and another alignment.
"""
import base64, json, tempfile
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np

here = Path(__file__).parent
# Numbers with all their bits in use, and the odd ones: -0, the smallest, the largest.
vectors = {l: np.sin(np.arange(5, dtype=np.float32) + np.float32(7 * l)) * np.float32(10.0 ** (l - 2)) for l in range(4)}
vectors[1][:3] = [-0.0, 1e-45, np.finfo(np.float32).max]


def write(layers, count, dtype=np.float32, more=lambda writer: None):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vector.gguf"
        writer = gguf.GGUFWriter(path, "controlvector")
        writer.add_string("controlvector.model_hint", "gpt2")
        count(writer)
        more(writer)
        for layer in layers:
            writer.add_tensor(f"direction.{layer}", vectors[layer].astype(dtype))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        data = path.read_bytes()
        read = {t.name.split(".")[1]: t.data.astype(np.float32).view(np.uint32).tolist() for t in gguf.GGUFReader(path).tensors}
    return {"base64": base64.b64encode(data).decode(), "bits": read}


def easysteer(writer):
    writer.add_string("controlvector.method", "caa")
    writer.add_float32("controlvector.explained", 0.25)


def other(writer):
    writer.add_custom_alignment(64)
    writer.add_array("general.tags", ["one", "two"])
    writer.add_array("general.sizes", [1, 2, 3])
    writer.add_bool("general.plain", True)
    writer.add_uint64("general.parameters", 2**40)
    writer.add_float64("general.share", 0.5)


files = {
    "repeng": write([1, 2, 3], lambda w: w.add_uint32("controlvector.layer_count", 3)),
    "repeng from the last layer": write([3, 2, 1, 0], lambda w: w.add_uint32("controlvector.layer_count", 4)),
    "llama": write([1, 2], lambda w: w.add_int32("controlvector.layer_count", 2)),
    "easysteer": write([2], lambda w: w.add_uint32("controlvector.layer_count", 1), more=easysteer),
    "halves": write([2, 3], lambda w: w.add_uint32("controlvector.layer_count", 2), dtype=np.float16, more=other),
}
made = {"command": "python make-control-vectors.py", "gguf": version("gguf"), "numpy": version("numpy")}
(here / "control-vectors.json").write_text(json.dumps({"madeBy": made, "files": files}, indent=1) + "\n")
