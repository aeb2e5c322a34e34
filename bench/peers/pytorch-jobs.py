"""The benches' jobs in PyTorch: one request a line on stdin, each as JSON, float32 numbers after it as bytes; answers likewise on stdout.

A request is {"do": "prepare", "id", "spec", "arrays": [[name, shape], ...]} followed by the arrays' bytes, {"do": "run", "id", "count"},
{"do": "result", "id"}, {"do": "dispose", "id"}. An answer is {"ok": true, ...} or {"error": text}; that of a result gives "length"
and is followed by its bytes.
"""

import json
import math
import os
import sys
import time

try:
    import torch
    from torch.nn import functional as F

    from dictionary_update import dictionary_update
except ImportError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(0)

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
EPSILON = 1e-5


def layer_norm(x, gamma, beta):
    return F.layer_norm(x, (x.shape[-1],), gamma, beta, EPSILON)


def blocks(spec, arrays):
    """x [tokens, width] through GPT-2's blocks; in decoding, keys and values [past, heads, size] of earlier tokens come first."""
    heads, width = spec["heads"], spec["width"]
    size = width // heads
    x = arrays["x"]
    tokens = x.shape[0]
    decoding = spec["kind"] == "decode"
    layers = [
        {name.split(".", 1)[1]: value for name, value in arrays.items() if name.startswith(f"{i}.")}
        for i in range(spec["layers"])
    ]
    for layer in layers:
        for name in ("keys", "values"):
            if name in layer:
                layer[name] = layer[name].transpose(0, 1).contiguous()

    def once():
        stream = x
        for w in layers:
            qkv = torch.addmm(w["attentionInBias"], layer_norm(stream, w["gamma1"], w["beta1"]), w["attentionIn"])
            q, k, v = (part.view(tokens, heads, size).transpose(0, 1) for part in qkv.split(width, -1))
            if decoding:
                k, v = torch.cat((w["keys"], k), 1), torch.cat((w["values"], v), 1)
            mixed = F.scaled_dot_product_attention(
                q[None], k[None], v[None], is_causal=not decoding, scale=1 / math.sqrt(size)
            )[0]
            mixed = mixed.transpose(0, 1).reshape(tokens, width)
            stream = stream + torch.addmm(w["attentionOutBias"], mixed, w["attentionOut"])
            hidden = torch.addmm(w["mlpInBias"], layer_norm(stream, w["gamma2"], w["beta2"]), w["mlpIn"])
            stream = stream + torch.addmm(w["mlpOutBias"], F.gelu(hidden, approximate="tanh"), w["mlpOut"])
        return stream

    return once


def job(spec, arrays):
    kind = spec["kind"]
    if kind == "matmul":
        return lambda: arrays["a"] @ arrays["b"]
    if kind == "layernorm":
        return lambda: layer_norm(arrays["x"], arrays["gamma"], arrays["beta"])
    if kind == "softmax":
        return lambda: torch.softmax(arrays["x"], -1)
    if kind == "gelu":
        return lambda: F.gelu(arrays["x"], approximate="tanh")
    if kind == "dictionary update":
        return dictionary_update(spec, arrays)
    return blocks(spec, arrays)


def finish():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def read_arrays(described):
    arrays = {}
    for name, shape in described:
        data = bytearray(sys.stdin.buffer.read(4 * math.prod(shape)))
        arrays[name] = torch.frombuffer(data, dtype=torch.float32).reshape(shape).to(DEVICE)
    return arrays


def answer(reply, data=b""):
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n" + data)
    sys.stdout.buffer.flush()


def serve():
    jobs = {}
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        number = request["id"]
        try:
            if request["do"] == "prepare":
                # The bytes are taken off the pipe whatever comes of them.
                jobs[number] = job(request["spec"], read_arrays(request["arrays"]))
                answer({"ok": True})
            elif request["do"] == "run":
                start = time.process_time()
                for _ in range(request["count"]):
                    jobs[number]()
                finish()
                answer({"ok": True, "cpuMilliseconds": 1e3 * (time.process_time() - start)})
            elif request["do"] == "result":
                result = jobs[number]().detach().cpu().contiguous()
                answer({"ok": True, "length": result.numel()}, result.numpy().tobytes())
            else:
                del jobs[number]
                answer({"ok": True})
        except Exception as error:  # what PyTorch throws is told to whoever asked
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    answer({"ok": True, "version": torch.__version__, "device": DEVICE})
    with torch.inference_mode():
        serve()
