"""AttnLRP in other words: the plain gradient of a network in which some factors are constants.

What travels here are gradients, and the input multiplies them at the very end; no relevance is
divided by anything. Slow and without verdict: it judges the rules of `cellxai.explain.backward`.
"""

import math

import torch
from torch.overrides import TorchFunctionMode

ACTIVATIONS = ("gelu", "silu", "relu", "tanh", "hardswish")
PRODUCTS = ("matmul", "__matmul__", "bmm", "mul", "einsum")


class ModifiedGradients(TorchFunctionMode):
    """While it is entered, functions have the gradients of AttnLRP."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "scaled_dot_product_attention":
            return attention(*args, **kwargs)
        if name == "layer_norm":
            return layer_norm(*args, **kwargs)
        if name in ACTIVATIONS:
            x, *rest = args
            answer = func(x.clone(), *rest, **kwargs)  # some work in place
            return x * (answer / torch.where(x == 0, 1.0, x)).detach()
        if name == "norm":
            return func(*args, **kwargs).detach()
        if name == "normalize":
            x = args[0]
            return x * (1 / x.norm(dim=kwargs.get("dim", -1), keepdim=True)).detach()
        tensors = [x for x in args if isinstance(x, torch.Tensor) and x.requires_grad]
        if name in PRODUCTS and len(tensors) == 2:
            return halves(func, *args, **kwargs)
        return func(*args, **kwargs)


def halves(product, *args, **kwargs):
    *text, a, b = args
    with torch._C.DisableTorchFunction():
        first, second = (
            product(*text, *pair, **kwargs) for pair in ((a, b.detach()), (a.detach(), b))
        )
        if product.__name__ == "mul" and a.shape != b.shape:
            return first if a.numel() > b.numel() else second
        return (first + second) / 2


def attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    assert not is_causal
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale

    def product(a, b):
        both = a.requires_grad and b.requires_grad
        return halves(torch.matmul, a, b) if both else torch.matmul(a, b)

    logits = product(query, key.transpose(-2, -1)) * scale
    if attn_mask is not None:
        logits = logits + attn_mask
    return product(torch.softmax(logits, -1), value)


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    normed = centred / (x.var(axes, correction=0, keepdim=True) + eps).sqrt().detach()
    normed = normed if weight is None else normed * weight
    return normed if bias is None else normed + bias


def relevance_by_gradients(model, images, targets):
    """Relevance of each pixel in each plane [b c h w]."""
    leaf = images.clone().requires_grad_()
    model.requires_grad_(False)
    with ModifiedGradients():
        scores = model(leaf * 1.0)
    total = scores.gather(1, targets[:, None]).sum()
    return leaf.detach() * torch.autograd.grad(total, leaf)[0]
