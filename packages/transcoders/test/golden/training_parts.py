"""What the scripts that train in PyTorch share: numbers that f32 holds exactly, straight-through gradients, and the k largest.

Straight-through gradients are custom autograd functions, written from arXiv 2407.14435.
"""
import numpy as np
import torch


def grid(start, shape):
    """Numbers start, start + 1, … hashed to multiples of 1/1024 in [-2, 2)."""
    n = np.arange(start, start + int(np.prod(shape)), dtype=np.uint64)
    word = (n * 2654435761) & 0xFFFFFFFF
    word ^= word >> np.uint64(16)
    word = (word * 0x85EBCA6B) & 0xFFFFFFFF
    word ^= word >> np.uint64(13)
    word = (word * 0xC2B2AE35) & 0xFFFFFFFF
    word ^= word >> np.uint64(16)
    return torch.tensor(((word >> np.uint64(20)).astype(np.float64) - 2048) / 1024, dtype=torch.float32).reshape(shape)


class Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, threshold, bandwidth):
        ctx.save_for_backward(h, threshold)
        ctx.bandwidth = bandwidth
        return h * (h > threshold)

    @staticmethod
    def backward(ctx, grad):
        h, threshold = ctx.saved_tensors
        near = ((h - threshold) / ctx.bandwidth).abs() < 0.5
        return grad * (h > threshold), (-(threshold / ctx.bandwidth) * near * grad).sum(0), None


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, threshold, bandwidth):
        ctx.save_for_backward(h, threshold)
        ctx.bandwidth = bandwidth
        return (h > threshold).to(h.dtype)

    @staticmethod
    def backward(ctx, grad):
        h, threshold = ctx.saved_tensors
        near = ((h - threshold) / ctx.bandwidth).abs() < 0.5
        return None, (-(1 / ctx.bandwidth) * near * grad).sum(0), None


def keep(h, count):
    """The `count` largest of each row, the positive ones among them."""
    top = h.topk(count, dim=-1)
    return torch.zeros_like(h).scatter(-1, top.indices, top.values.relu())
