"""Multipliers of DeepLIFT for every function of torch: complete, whatever the network is made of.

Images and their baselines go through the network as one batch, images first. Each function returns
multipliers m with Σ m·Δinput = Δoutput. All are one idea: the mean gradient on the straight line
from the baseline's inputs to the image's. It has closed forms for functions of one number, where it
is DeepLIFT's rescale rule (arXiv:1704.02685, eq. 12), and for products, where the midpoint is
exact: Δ(ab) = Δa·(b + b₀)/2 + Δb·(a + a₀)/2. The rest, such as softmax, is summed numerically.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.rules import Call, NoRuleError, Rule, Rules, has_active, plain

LINEAR = [
    "__getitem__", "__get__", "add", "sub", "rsub", "__rsub__", "neg", "cat", "stack", "flatten",
    "unflatten", "reshape", "view", "permute", "transpose", "contiguous", "clone", "to", "float",
    "double", "squeeze", "unsqueeze", "expand", "repeat", "unbind", "chunk", "split", "roll",
    "flip", "pad", "mean", "sum", "avg_pool2d", "adaptive_avg_pool2d", "dropout", "dropout2d",
    "batch_norm", "masked_fill", "type_as", "movedim", "swapaxes", "narrow", "select",
]  # fmt: skip
PRODUCTS = ["mul", "conv1d", "conv2d", "conv3d", "linear", "matmul", "__matmul__", "bmm", "einsum"]
OF_ONE_NUMBER = [
    "relu", "relu6", "hardtanh", "silu", "gelu", "sigmoid", "hardsigmoid", "hardswish", "tanh",
    "elu", "selu", "celu", "leaky_relu", "mish", "softplus", "softsign", "logsigmoid",
    "log_sigmoid", "exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "square", "abs", "erf",
    "clamp", "clamp_min", "clamp_max", "reciprocal",
]  # fmt: skip
NODES = 8  # of the quadrature: softmax and attention are smooth, more changes nothing
NEARLY_EQUAL = 1e-4  # relative change below which a quotient of float32 differences is noise


def deeplift_rules() -> Rules:
    """The rules to enter around the forward pass of a batch of images, then their baselines."""
    by_name: dict[str, Rule] = dict.fromkeys(LINEAR, plain)
    by_name |= dict.fromkeys(PRODUCTS, product)
    by_name |= dict.fromkeys(OF_ONE_NUMBER, of_one_number)
    by_name |= {
        "div": quotient,
        "__truediv__": quotient,
        "max_pool2d": max_pool,
        "layer_norm": layer_norm,
    }
    return Rules(by_name, otherwise=unknown)


def product(call: Call) -> Any:
    """Linear in one active argument, bilinear in two."""
    if len(call.active) == 1:
        return call.plain()
    return call.with_backward(partial(mean_gradient, call, n_nodes=1))


def quotient(call: Call) -> Any:
    """Linear where only the numerator is active."""
    return call.plain() if list(call.active) == [0] else along_the_line(call)


def of_one_number(call: Call) -> Tensor:
    """The rescale rule."""
    return call.with_backward(partial(rescale, call))


def max_pool(call: Call) -> Tensor:
    """The change of a maximum belongs to the pixels that hold it, before and after."""
    return call.with_backward(partial(max_pool_multipliers, call))


def layer_norm(call: Call) -> Tensor:
    """As the products and functions of one number that it is made of."""
    return _normalised(*call.args, **call.kwargs)


def _normalised(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    with deeplift_rules():
        centred = x - x.mean(axes, keepdim=True)
        scale = ((centred * centred).mean(axes, keepdim=True) + eps).rsqrt()
    product = Call("mul", torch.mul, (centred, scale), {})
    scaled = product.with_backward(last_scale)
    with deeplift_rules():
        weighted = scaled if weight is None else scaled * weight
        return weighted if bias is None else weighted + bias


def along_the_line(call: Call) -> Tensor:
    """Any function of several numbers."""
    return call.with_backward(partial(mean_gradient, call, n_nodes=NODES))


def unknown(call: Call) -> Any:
    """Any other: along the line if gradients leave it at all."""
    answer = call.plain()
    if not has_active([answer]):
        return answer
    if not isinstance(answer, Tensor):
        raise NoRuleError(f"no rule for torch's {call.name}, which answers with several tensors")
    return along_the_line(call)


def rescale(
    call: Call, gradient: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> tuple[Tensor]:
    """Gradient times Δoutput/Δinput; the derivative at the midpoint where both are nearly equal."""
    (pairs,) = inputs
    image, baseline = pairs.chunk(2)
    change = image - baseline
    exact = change.abs() > NEARLY_EQUAL * (image.abs() + baseline.abs())
    slope = _derivative(call, between(pairs, 0.5))
    image_output, baseline_output = output.chunk(2)
    quotient = (image_output - baseline_output) / torch.where(exact, change, 1.0)
    return (gradient * _twice(torch.where(exact, quotient, slope.chunk(2)[0])),)


def mean_gradient(
    call: Call, gradient: Tensor, inputs: Sequence[Tensor], output: Tensor, n_nodes: int
) -> list[Tensor]:
    """Mean over the straight line by Gauss-Legendre quadrature, exact to degree 2·nodes − 1."""
    total = [torch.zeros_like(pairs) for pairs in inputs]
    for place, weight in _gauss_legendre(n_nodes):
        points = [between(pairs, place).requires_grad_() for pairs in inputs]
        with torch.enable_grad():
            answer = call.on(*points)
        parts = torch.autograd.grad(answer, points, gradient)
        total = [sum_ + weight * part for sum_, part in zip(total, parts, strict=True)]
    return total


def last_scale(gradient: Tensor, inputs: Sequence[Tensor], output: Tensor) -> tuple[Tensor, Tensor]:
    """Δ(values · scale) = Δvalues · scale + values₀ · Δscale, complete like the midpoint.

    The midpoint would multiply by the baseline's scale too, and a black baseline has no variance:
    its scale is 1/√eps, a thousandfold at every layer.
    """
    values, scale = inputs
    to_values = (gradient * _twice(scale.chunk(2)[0])).sum_to_size(values.shape)
    to_scale = (gradient * _twice(values.chunk(2)[1])).sum_to_size(scale.shape)
    return to_values, to_scale


def max_pool_multipliers(
    call: Call, gradient: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> tuple[Tensor]:
    """What a window rises goes to the image's maximum, what it falls to the baseline's.

    Captum's rule, too, but here it is complete, and windows that overlap add up.
    """
    (pairs,) = inputs
    places = F.max_pool2d(*_with(call, pairs), return_indices=True, **_settings(call.kwargs))[1]
    (high, low), (to, since) = output.chunk(2), places.chunk(2)
    rise, fall = (high - low).clamp(min=0), (high - low).clamp(max=0)
    share = gradient.chunk(2)[0]
    image, baseline = pairs.chunk(2)
    contribution = torch.zeros_like(image).flatten(2)
    contribution = contribution.scatter_add(2, to.flatten(2), (share * rise).flatten(2))
    contribution = contribution.scatter_add(2, since.flatten(2), (share * fall).flatten(2))
    change = image - baseline
    multiplier = contribution.view_as(image) / torch.where(change == 0, 1.0, change)
    return (torch.cat([multiplier, torch.zeros_like(multiplier)]),)


def between(pairs: Float[Tensor, "two_b *s"], place: float) -> Float[Tensor, "two_b *s"]:
    """The points at ``place`` (0 baseline, 1 image) on the lines, in both halves of the batch."""
    image, baseline = pairs.chunk(2)
    # Equal values stay as they are: masked entries are −inf, and inf − inf is no number.
    point = torch.where(image == baseline, image, torch.lerp(baseline, image, place))
    return _twice(point)


def _twice(x: Tensor) -> Tensor:
    """For images and baselines alike."""
    return torch.cat([x, x])


def _derivative(call: Call, points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        total = call.on(points.clone()).sum()
    return torch.autograd.grad(total, points)[0]


def _gauss_legendre(n: int) -> list[tuple[float, float]]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return [(float(x + 1) / 2, float(w) / 2) for x, w in zip(nodes, weights, strict=True)]


def _with(call: Call, pairs: Tensor) -> tuple[Any, ...]:
    return (pairs, *call.args[1:6])  # kernel, stride, padding, dilation, ceil_mode


def _settings(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name != "return_indices"}
