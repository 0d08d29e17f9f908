"""Multipliers of DeepLIFT for every function of torch: complete, whatever the network is made of.

Images and their baselines go through the network as one batch, images first. Each function returns
multipliers m with Σ m·Δinput = Δoutput. All are one idea: the mean gradient on the straight line
from the baseline's inputs to the image's. It has closed forms for functions of one number, where it
is DeepLIFT's rescale rule (arXiv:1704.02685, eq. 12), and for products, where the midpoint is
exact: Δ(ab) = Δa·(b + b₀)/2 + Δb·(a + a₀)/2. The rest, such as softmax, is summed numerically.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.activations import RELU_WORDS, relu_in_other_words
from cellxai.explain.backward.rules import Call, NoRuleError, Rule, Rules, has_active, own_rule

LINEAR = [
    "__getitem__", "__get__", "add", "sub", "rsub", "__rsub__", "neg", "cat", "stack", "flatten",
    "unflatten", "reshape", "view", "permute", "transpose", "contiguous", "clone", "to", "float",
    "double", "squeeze", "unsqueeze", "expand", "repeat", "unbind", "chunk", "split", "roll",
    "flip", "pad", "mean", "sum", "avg_pool2d", "adaptive_avg_pool2d", "dropout", "dropout2d",
    "batch_norm", "masked_fill", "type_as", "movedim", "swapaxes", "narrow", "select",
    "view_as", "reshape_as", "expand_as",
]  # fmt: skip
PRODUCTS = ["mul", "conv1d", "conv2d", "conv3d", "linear", "matmul", "__matmul__", "bmm", "einsum"]
QUOTIENTS = ["div", "__truediv__"]
OF_ONE_NUMBER = [
    "relu", "relu6", "hardtanh", "silu", "gelu", "sigmoid", "hardsigmoid", "hardswish", "tanh",
    "elu", "selu", "celu", "leaky_relu", "mish", "softplus", "softsign", "logsigmoid",
    "log_sigmoid", "exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "square", "abs", "erf",
    "clamp", "clamp_min", "clamp_max", "reciprocal",
]  # fmt: skip
NODES = 8  # of the quadrature: softmax and attention are smooth, more changes nothing
NEARLY_EQUAL = 1e-4  # relative change below which a quotient of float32 differences is noise
STEPS_APART = 16  # the same in units of the precision, which matters for half precision


def deeplift_rules() -> Rules:
    """The rules to enter around the forward pass of a batch of images, then their baselines."""
    by_name: dict[str, Rule] = dict.fromkeys(LINEAR, own_rule)
    by_name |= dict.fromkeys(PRODUCTS, product_rule)
    by_name |= dict.fromkeys(OF_ONE_NUMBER, rescale_rule)
    by_name |= dict.fromkeys(QUOTIENTS, quotient_rule)
    by_name |= {"max_pool2d": max_pool_rule, "layer_norm": layer_norm_rule}
    relu = relu_in_other_words(rescale_rule)
    by_name |= {name: relu(by_name.get(name, general_rule)) for name in RELU_WORDS}
    return Rules(by_name, otherwise=general_rule)


def product_rule(call: Call) -> Any:
    """Linear in one active argument, bilinear in two."""
    if len(call.active) == 1:
        return call.run()
    return call.run_with_backward(partial(mean_gradient, call, n_nodes=1))


def quotient_rule(call: Call) -> Any:
    """Linear where only the numerator is active."""
    return call.run() if list(call.active) == [0] else straight_line_rule(call)


def rescale_rule(call: Call) -> Tensor:
    """DeepLIFT's own rule, for functions of one number."""
    return call.run_with_backward(partial(rescale_multipliers, call))


def max_pool_rule(call: Call) -> Tensor:
    """The change of a maximum belongs to the pixels that hold it, before and after."""
    return call.run_with_backward(partial(max_pool_multipliers, call))


def layer_norm_rule(call: Call) -> Tensor:
    """As the products and functions of one number that it is made of."""
    return _normalise(*call.args, **call.kwargs)


def _normalise(
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
    scaled = product.run_with_backward(scaling_multipliers)
    with deeplift_rules():
        weighted = scaled if weight is None else scaled * weight
        return weighted if bias is None else weighted + bias


def straight_line_rule(call: Call) -> Tensor:
    """The mean gradient, for any function of several numbers."""
    return call.run_with_backward(partial(mean_gradient, call, n_nodes=NODES))


def general_rule(call: Call) -> Any:
    """The mean gradient on the straight line, for a function that has no rule of its own.

    Raises:
        NoRuleError: If gradients leave the function by several tensors.
    """
    answer = call.run()
    if not has_active([answer]):
        return answer
    if not isinstance(answer, Tensor):
        raise NoRuleError(f"no rule for torch's {call.name}, which answers with several tensors")
    return straight_line_rule(call)


def rescale_multipliers(
    call: Call, gradient: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> tuple[Tensor]:
    """Gradient times Δoutput/Δinput; the derivative at the midpoint where both are nearly equal."""
    (pairs,) = inputs
    image, baseline = pairs.chunk(2)
    change = image - baseline
    noise = max(NEARLY_EQUAL, STEPS_APART * torch.finfo(pairs.dtype).eps)
    exact = change.abs() > noise * (image.abs() + baseline.abs())
    slope = _derivative(call, points_between(pairs, 0.5))
    image_output, baseline_output = output.chunk(2)
    quotient = (image_output - baseline_output) / torch.where(exact, change, 1.0)
    return (gradient * _twice(torch.where(exact, quotient, slope.chunk(2)[0])),)


def mean_gradient(
    call: Call, gradient: Tensor, inputs: Sequence[Tensor], output: Tensor, n_nodes: int
) -> list[Tensor]:
    """Mean over the straight line by Gauss-Legendre quadrature, exact to degree 2·nodes − 1."""
    total = [torch.zeros_like(pairs) for pairs in inputs]
    for position, weight in _gauss_legendre(n_nodes):
        points = [points_between(pairs, position).requires_grad_() for pairs in inputs]
        with torch.enable_grad():
            answer = call.run_on(*points)
        # Of some arguments, such as that of view_as, only the shape is used.
        parts = torch.autograd.grad(answer, points, gradient, materialize_grads=True)
        total = [so_far + weight * part for so_far, part in zip(total, parts, strict=True)]
    return total


def scaling_multipliers(
    gradient: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> tuple[Tensor, Tensor]:
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
    """The rise of a window's maximum goes to the image's maximum, a fall to the baseline's.

    Captum has this rule, too, but here it is complete, and windows that overlap add up.
    """
    (pairs,) = inputs
    winners = _indices_of_maxima(call, pairs)
    (after, before), (now, formerly) = output.chunk(2), winners.chunk(2)
    rise, fall = (after - before).clamp(min=0), (after - before).clamp(max=0)
    share = gradient.chunk(2)[0]
    image, baseline = pairs.chunk(2)
    contribution = torch.zeros_like(image).flatten(2)
    contribution = contribution.scatter_add(2, now.flatten(2), (share * rise).flatten(2))
    contribution = contribution.scatter_add(2, formerly.flatten(2), (share * fall).flatten(2))
    change = image - baseline
    multiplier = contribution.view_as(image) / torch.where(change == 0, 1.0, change)
    return (torch.cat([multiplier, torch.zeros_like(multiplier)]),)


def points_between(pairs: Float[Tensor, "two_b *s"], position: float) -> Float[Tensor, "two_b *s"]:
    """The points at ``position`` (0 baseline, 1 image) of the lines, in both halves of a batch."""
    image, baseline = pairs.chunk(2)
    # Equal values stay as they are: masked entries are −inf, and inf − inf is NaN.
    point = torch.where(image == baseline, image, torch.lerp(baseline, image, position))
    return _twice(point)


def _twice(x: Tensor) -> Tensor:
    """For images and baselines alike."""
    return torch.cat([x, x])


def _derivative(call: Call, points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        total = call.run_on(points.clone()).sum()
    return torch.autograd.grad(total, points)[0]


def _gauss_legendre(n: int) -> list[tuple[float, float]]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return [(float(x + 1) / 2, float(w) / 2) for x, w in zip(nodes, weights, strict=True)]


def _indices_of_maxima(call: Call, pairs: Tensor) -> Tensor:
    """Where a pooling finds the maximum of each of its windows, as indices into rows × columns."""
    settings = {name: value for name, value in call.kwargs.items() if name != "return_indices"}
    geometry = call.args[1:6]  # kernel, stride, padding, dilation, ceil_mode
    return F.max_pool2d(pairs, *geometry, return_indices=True, **settings)[1]
