"""Layer-wise relevance propagation as rules for the functions of torch.

What travels back is relevance, not a gradient. Each function hands on as much as it receives:

- convolutions and linear layers in proportion to input × weight, by the rule of the composite; the
  BatchNorm that follows a convolution is folded into it first;
- sums (residuals, pooling) in proportion to what is summed, a maximum to its winner;
- activations, normalisation, and products with a constant hand it on unchanged;
- of a product with a gate, the signal gets all: the gate counts as a constant.

The ε rule as published loses what it ascribes to biases. Here that share is spread over the inputs
in proportion to |input × weight|, and by |weight| where all inputs are 0, so that none is lost.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.rules import Call, NoRuleError, Rule, Rules, plain, refused

Composite = Literal["epsilon", "epsilon-plus", "epsilon-alpha-beta"]
Linear = Callable[[Tensor, Tensor], Tensor]
"""Input, weight → output without bias: a convolution or a matrix product."""
Spread = Callable[[Tensor, Tensor, Tensor, Tensor | None, Linear], Tensor]
"""Relevance of the output, input, weight, bias, linear → relevance of the input."""

SHAPES = [  # whose own gradient already moves relevance where it came from
    "__getitem__", "__get__", "cat", "stack", "flatten", "unflatten", "reshape", "view",
    "permute", "transpose", "contiguous", "clone", "to", "float", "double", "squeeze",
    "unsqueeze", "expand", "unbind", "chunk", "split", "roll", "flip", "pad", "dropout",
    "dropout2d", "max_pool2d", "type_as", "movedim", "narrow", "select",
]  # fmt: skip
ONE_TO_ONE = [
    "relu", "relu6", "hardtanh", "silu", "gelu", "hardswish", "tanh", "elu", "selu", "celu",
    "leaky_relu", "mish", "softplus", "softsign", "layer_norm", "group_norm", "instance_norm",
    "div", "__truediv__", "neg", "clamp",
]  # fmt: skip
GATES = ("sigmoid", "hardsigmoid")
SUMS = ["mean", "sum", "avg_pool2d", "adaptive_avg_pool2d", "interpolate"]
STABILISER = 1e-9
ALPHA = 2.0  # and β = 1: Bach et al. (2015), eq. 60, with α − β = 1, which conserves


class RelevanceRules(Rules):
    """The rules to enter around a forward pass whose backward pass shall carry relevance.

    Args:
        composite: ``epsilon`` everywhere; or ε in layers without places and z⁺ or αβ (2, 1) in
            convolutions.
    """

    def __init__(self, composite: Composite) -> None:
        by_name: dict[str, Rule] = dict.fromkeys(SHAPES, plain)
        by_name |= dict.fromkeys(ONE_TO_ONE, unchanged)
        by_name |= dict.fromkeys(SUMS, shared_sum)
        by_name |= dict.fromkeys(GATES, self.gate)
        by_name |= {"add": added, "sub": added, "mul": self.product, "batch_norm": self.batch_norm}
        by_name |= {"conv2d": self.convolution, "linear": self.matrix_product}
        super().__init__(by_name, otherwise=refused)
        self.in_places, self.without_places = COMPOSITES[composite]
        self._gates: list[Tensor] = []
        self._last_convolution: tuple[Tensor, Call] | None = None

    def convolution(self, call: Call) -> Tensor:
        """By the composite, and remembered for the BatchNorm that may follow."""
        output = weighted(call, self.in_places)
        self._last_convolution = (output, call)
        return output

    def matrix_product(self, call: Call) -> Tensor:
        """A linear layer that is applied at many places is a 1×1 convolution."""
        has_places = call.args[0].dim() > 2
        return weighted(call, self.in_places if has_places else self.without_places)

    def batch_norm(self, call: Call) -> Tensor:
        """Folded into the convolution whose output it normalises; unchanged relevance elsewhere."""
        output, convolution = self._last_convolution or (None, call)
        if call.args[0] is not output or call.args[1] is None:  # None: statistics of the batch
            return unchanged(call)
        return weighted(folded(convolution, *call.args, **call.kwargs), self.in_places)

    def gate(self, call: Call) -> Tensor:
        """Unchanged, and remembered."""
        output = unchanged(call)
        self._gates.append(output)
        return output

    def product(self, call: Call) -> Tensor:
        """A gate gets nothing, a constant asks for nothing; equals get half each."""
        tensors = list(call.active.values())
        if len(tensors) == 1:
            return unchanged(call)
        gates = [any(tensor is gate for gate in self._gates) for tensor in tensors]
        return call.with_backward(partial(gated, gates))


def unchanged(call: Call) -> Tensor:
    """Hands on all relevance, number by number."""
    if len(call.active) > 1:
        raise NoRuleError(f"no rule for torch's {call.name} of two answers of the network")
    return call.with_backward(lambda relevance, inputs, output: [relevance])


def shared_sum(call: Call) -> Tensor:
    """Each summand gets its share of the sum."""
    return call.with_backward(partial(in_proportion, call))


def added(call: Call) -> Tensor:
    """Two branches share; a constant asks for nothing."""
    return unchanged(call) if len(call.active) == 1 else shared_sum(call)


def weighted(call: Call, spread: Spread) -> Tensor:
    """A linear layer whose relevance is spread by a rule."""
    _, weight, bias, linear = layer_of(call.name, *call.args, **call.kwargs)
    return call.with_backward(
        lambda relevance, inputs, output: [spread(relevance, inputs[0], weight, bias, linear)]
    )


def layer_of(
    name: str,
    input: Tensor,  # noqa: A002  (torch's names)
    weight: Tensor,
    bias: Tensor | None = None,
    *settings: Any,
    **named: Any,
) -> tuple[Tensor, Tensor, Tensor | None, Linear]:
    """Input, weight, bias (shaped to broadcast) and the linear map of a call of torch."""
    if name == "linear":
        return input, weight, bias, F.linear
    shaped = None if bias is None else bias[:, None, None]
    return input, weight, shaped, lambda x, w: F.conv2d(x, w, None, *settings, **named)


def folded(
    convolution: Call,
    input: Tensor,  # noqa: A002
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Call:
    """The convolution whose weight and bias include the normalisation that follows it."""
    scale = (running_var + eps).rsqrt() * (1.0 if weight is None else weight)
    named = dict(convolution.kwargs)
    x, kernel, *rest = convolution.args
    own, *settings = rest or [named.pop("bias", None)]
    centred = (0.0 if own is None else own) - running_mean
    shift = centred * scale + (0.0 if bias is None else bias)
    args = (x, kernel * scale[:, None, None, None], shift, *settings)
    return Call("conv2d", F.conv2d, args, named)


def epsilon_rule(
    relevance: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, linear: Linear
) -> Tensor:
    """In proportion to x·w, stabilised; the share of the bias follows |x·w|."""
    z = linear(x, weight)
    total = stabilised(z if bias is None else z + bias)
    shares = relevance / total
    own = x * _back(linear, x, weight, shares)
    size = linear(x.abs(), weight.abs())
    rest = torch.where(size > 0, shares * (total - z) / stabilised(size), 0.0)
    spread = x.abs() * _back(linear, x, weight.abs(), rest)
    return own + spread + by_weight(relevance.where(size == 0, 0.0), x, weight, linear)


def alpha_beta_rule(
    relevance: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    linear: Linear,
    alpha: float = 1.0,
) -> Tensor:
    """α of the relevance to x·w > 0, 1 − α to x·w < 0, whichever the bias; α = 1 is the z⁺ rule.

    Where all contributions have one sign they get everything.
    """
    parts = [(x.clamp(min=0), x.clamp(max=0)), (weight.clamp(min=0), weight.clamp(max=0))]
    (x_up, x_down), (w_up, w_down) = parts
    above = linear(x_up, w_up) + linear(x_down, w_down)
    below = linear(x_up, w_down) + linear(x_down, w_up)
    to_above = torch.where(below < 0, alpha, 1.0) * relevance / above
    to_below = torch.where(above > 0, 1.0 - alpha, 1.0) * relevance / below
    to_above, to_below = to_above.where(above > 0, 0.0), to_below.where(below < 0, 0.0)
    up = _back(linear, x, w_up, to_above) + _back(linear, x, w_down, to_below)
    down = _back(linear, x, w_down, to_above) + _back(linear, x, w_up, to_below)
    silent = relevance.where((above == 0) & (below == 0), 0.0)
    return x_up * up + x_down * down + by_weight(silent, x, weight, linear)


def by_weight(relevance: Tensor, x: Tensor, weight: Tensor, linear: Linear) -> Tensor:
    """In proportion to |w|: what a bias alone has caused, behind inputs that are all 0."""
    reach = linear(torch.ones_like(x), weight.abs())
    return _back(linear, x, weight.abs(), relevance / stabilised(reach))


COMPOSITES: dict[Composite, tuple[Spread, Spread]] = {
    "epsilon": (epsilon_rule, epsilon_rule),
    "epsilon-plus": (alpha_beta_rule, epsilon_rule),
    "epsilon-alpha-beta": (partial(alpha_beta_rule, alpha=ALPHA), epsilon_rule),
}


def in_proportion(
    call: Call, relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor]:
    """Relevance in proportion to each input's part of a linear function without constants."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    with torch.enable_grad():
        answer = call.on(*leaves)
    parts = torch.autograd.grad(answer, leaves, relevance / stabilised(output))
    return [x * part for x, part in zip(inputs, parts, strict=True)]


def gated(
    gates: Sequence[bool], relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor | None]:
    """All relevance to the factor that is no gate; to both alike where that tells nothing."""
    larger = max(x.numel() for x in inputs)
    signals = [not gate and x.numel() == larger for gate, x in zip(gates, inputs, strict=True)]
    if not any(signals):
        signals = [x.numel() == larger for x in inputs]
    share = relevance / sum(signals)
    return [share if signal else None for signal in signals]


def stabilised(z: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Away from 0 by a little, with its sign."""
    return z + STABILISER * torch.where(z < 0, -1.0, 1.0)


def _back(linear: Linear, x: Tensor, weight: Tensor, values: Tensor) -> Tensor:
    """The transposed linear map."""
    leaf = torch.zeros_like(x).requires_grad_()
    with torch.enable_grad():
        output = linear(leaf, weight)
    return torch.autograd.grad(output, leaf, values)[0]
