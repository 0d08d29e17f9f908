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
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.rules import Call, NoRuleError, Rule, Rules, own_rule, refusing_rule

Composite = Literal["epsilon", "epsilon-plus", "epsilon-alpha-beta"]

MOVING = [  # whose own gradient already moves relevance where it came from
    "__getitem__", "__get__", "cat", "stack", "flatten", "unflatten", "reshape", "view",
    "permute", "transpose", "contiguous", "clone", "to", "float", "double", "squeeze",
    "unsqueeze", "expand", "unbind", "chunk", "split", "roll", "flip", "pad", "dropout",
    "dropout2d", "max_pool2d", "type_as", "movedim", "narrow", "select",
    "view_as", "reshape_as", "expand_as", "masked_fill",
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


@dataclass(frozen=True)
class Layer:
    """A linear map with weights: a convolution or a matrix product.

    Args:
        weight: What multiplies the inputs.
        bias: What is added, shaped to broadcast over the output.
        linear: Input, weight → output without bias.
    """

    weight: Tensor
    bias: Tensor | None
    linear: Callable[[Tensor, Tensor], Tensor]

    def back(self, x: Tensor, weight: Tensor, values: Tensor) -> Tensor:
        """The transposed map of ``weight``, from values of the output to the shape of ``x``."""
        leaf = torch.zeros_like(x).requires_grad_()
        with torch.enable_grad():
            output = self.linear(leaf, weight)
        return torch.autograd.grad(output, leaf, values)[0]


@dataclass(frozen=True)
class BatchNorm:
    """The arguments of torch's ``batch_norm``, by its names; statistics are None in training."""

    input: Tensor
    running_mean: Tensor
    running_var: Tensor
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


Spread = Callable[[Tensor, Tensor, Layer], Tensor]
"""Relevance of the output, input, layer → relevance of the input."""


def relevance_rules(composite: Composite) -> Rules:
    """The rules to enter around a forward pass whose backward pass shall carry relevance.

    Args:
        composite: ``epsilon`` everywhere; or ε in layers without positions, and z⁺ or αβ (2, 1) in
            convolutions.
    """
    memory = _Pass(*COMPOSITES[composite])
    by_name: dict[str, Rule] = dict.fromkeys(MOVING, own_rule)
    by_name |= dict.fromkeys(ONE_TO_ONE, unchanged_rule)
    by_name |= dict.fromkeys(SUMS, sum_rule)
    by_name |= dict.fromkeys(GATES, memory.gate_rule)
    by_name |= {"add": addition_rule, "sub": addition_rule, "mul": memory.product_rule}
    by_name |= {"conv2d": memory.convolution_rule, "batch_norm": memory.batch_norm_rule}
    by_name |= {"linear": memory.matrix_rule}
    return Rules(by_name, otherwise=refusing_rule)


@dataclass(frozen=True)
class _Answer:
    """A tensor that the model got, until something else is written into it."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, call: Call, output: Tensor) -> "_Answer":
        if call.target is None:
            return cls(output, output._version)
        return cls(call.target, call.target._version + 1)  # once the output is written into it

    def holds(self, tensor: object) -> bool:
        return tensor is self.tensor and self.tensor._version == self.version


class _Pass:
    """The rules of one forward pass that depend on what was called before.

    Args:
        at_positions: How layers with positions spread relevance.
        without_positions: How the others do.
    """

    def __init__(self, at_positions: Spread, without_positions: Spread) -> None:
        self.at_positions = at_positions
        self.without_positions = without_positions
        self._gates: list[_Answer] = []
        self._last_convolution: tuple[_Answer, Call] | None = None

    def convolution_rule(self, call: Call) -> Tensor:
        """By the composite, and remembered for the BatchNorm that may follow."""
        output = answer_and_spread(call, self.at_positions)
        self._last_convolution = (_Answer.of(call, output), call)
        return output

    def matrix_rule(self, call: Call) -> Tensor:
        """A linear layer that is applied at many positions is a 1×1 convolution."""
        has_positions = call.args[0].dim() > 2
        spread = self.at_positions if has_positions else self.without_positions
        return answer_and_spread(call, spread)

    def batch_norm_rule(self, call: Call) -> Tensor:
        """Folded into the convolution whose output it normalises; unchanged relevance elsewhere."""
        output, convolution = self._last_convolution or (None, call)
        follows = output is not None and output.holds(call.args[0])
        if not follows or call.args[1] is None:  # None: statistics of the batch
            return unchanged_rule(call)
        norm = BatchNorm(*call.args, **call.kwargs)
        return answer_and_spread(fold(convolution, norm), self.at_positions)

    def gate_rule(self, call: Call) -> Tensor:
        """Unchanged, and remembered."""
        output = unchanged_rule(call)
        self._gates.append(_Answer.of(call, output))
        return output

    def product_rule(self, call: Call) -> Tensor:
        """A gate gets nothing, a constant asks for nothing; equals get half each."""
        tensors = list(call.active.values())
        if len(tensors) == 1:
            return unchanged_rule(call)
        gates = [any(gate.holds(tensor) for gate in self._gates) for tensor in tensors]
        return call.run_with_backward(partial(pass_gates, gates))


def unchanged_rule(call: Call) -> Tensor:
    """Hands on all relevance, number by number."""
    if len(call.active) > 1:
        raise NoRuleError(f"no rule for torch's {call.name} of two answers of the network")
    return call.run_with_backward(lambda relevance, inputs, output: [relevance])


def sum_rule(call: Call) -> Tensor:
    """Each summand gets its share of the sum."""
    return call.run_with_backward(partial(share_in_proportion, call))


def addition_rule(call: Call) -> Tensor:
    """Two branches share; a constant asks for nothing."""
    return unchanged_rule(call) if len(call.active) == 1 else sum_rule(call)


def answer_and_spread(call: Call, spread: Spread) -> Tensor:
    """The answer of a convolution or linear layer, whose relevance is spread over its input."""
    layer = layer_of(call.name, *call.args, **call.kwargs)
    return call.run_with_backward(
        lambda relevance, inputs, output: [spread(relevance, inputs[0], layer)]
    )


def layer_of(
    name: str,
    input: Tensor,  # noqa: A002  (torch's names)
    weight: Tensor,
    bias: Tensor | None = None,
    *settings: Any,
    **named_settings: Any,
) -> Layer:
    """The layer that a call of torch is, from the arguments of the call."""
    if name == "linear":
        return Layer(weight, bias, F.linear)
    shaped = None if bias is None else bias[:, None, None]
    return Layer(weight, shaped, lambda x, w: F.conv2d(x, w, None, *settings, **named_settings))


def fold(convolution: Call, norm: BatchNorm) -> Call:
    """The convolution whose weight and bias include the normalisation that follows it."""
    scale = (norm.running_var + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight)
    named_settings = dict(convolution.kwargs)
    x, kernel, *rest = convolution.args
    own_bias, *settings = rest or [named_settings.pop("bias", None)]
    centred = (0.0 if own_bias is None else own_bias) - norm.running_mean
    shift = centred * scale + (0.0 if norm.bias is None else norm.bias)
    args = (x, kernel * scale[:, None, None, None], shift, *settings)
    return Call("conv2d", F.conv2d, args, named_settings)


def epsilon_spread(relevance: Tensor, x: Tensor, layer: Layer) -> Tensor:
    """The ε rule: in proportion to x·w, stabilised; the share of the bias follows |x·w|."""
    z = layer.linear(x, layer.weight)
    total = stabilise(z if layer.bias is None else z + layer.bias)
    shares = relevance / total
    own = x * layer.back(x, layer.weight, shares)
    size = layer.linear(x.abs(), layer.weight.abs())
    rest = torch.where(size > 0, shares * (total - z) / stabilise(size), 0.0)
    of_bias = x.abs() * layer.back(x, layer.weight.abs(), rest)
    return own + of_bias + weight_spread(relevance.where(size == 0, 0.0), x, layer)


def alpha_beta_spread(relevance: Tensor, x: Tensor, layer: Layer, alpha: float = 1.0) -> Tensor:
    """The αβ rule: α of the relevance to x·w > 0, 1 − α to x·w < 0, whatever the bias is.

    With α = 1 it is the z⁺ rule. Where all contributions have one sign they get everything.
    """
    weight = layer.weight
    parts = [(x.clamp(min=0), x.clamp(max=0)), (weight.clamp(min=0), weight.clamp(max=0))]
    (x_up, x_down), (w_up, w_down) = parts
    above = layer.linear(x_up, w_up) + layer.linear(x_down, w_down)
    below = layer.linear(x_up, w_down) + layer.linear(x_down, w_up)
    to_above = torch.where(below < 0, alpha, 1.0) * relevance / above
    to_below = torch.where(above > 0, 1.0 - alpha, 1.0) * relevance / below
    to_above, to_below = to_above.where(above > 0, 0.0), to_below.where(below < 0, 0.0)
    up = layer.back(x, w_up, to_above) + layer.back(x, w_down, to_below)
    down = layer.back(x, w_down, to_above) + layer.back(x, w_up, to_below)
    silent = relevance.where((above == 0) & (below == 0), 0.0)
    return x_up * up + x_down * down + weight_spread(silent, x, layer)


def weight_spread(relevance: Tensor, x: Tensor, layer: Layer) -> Tensor:
    """In proportion to |w|: what a bias alone has caused, behind inputs that are all 0."""
    size = layer.weight.abs()
    reach = layer.linear(torch.ones_like(x), size)
    return layer.back(x, size, relevance / stabilise(reach))


COMPOSITES: dict[Composite, tuple[Spread, Spread]] = {
    "epsilon": (epsilon_spread, epsilon_spread),
    "epsilon-plus": (alpha_beta_spread, epsilon_spread),
    "epsilon-alpha-beta": (partial(alpha_beta_spread, alpha=ALPHA), epsilon_spread),
}


def share_in_proportion(
    call: Call, relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor]:
    """Relevance in proportion to each input's part of a linear function without constants."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    with torch.enable_grad():
        answer = call.run_on(*leaves)
    parts = torch.autograd.grad(answer, leaves, relevance / stabilise(output))
    return [x * part for x, part in zip(inputs, parts, strict=True)]


def pass_gates(
    gates: Sequence[bool], relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
) -> list[Tensor | None]:
    """All relevance to the factor that is no gate; to both alike where that tells nothing."""
    larger = max(x.numel() for x in inputs)
    signals = [not gate and x.numel() == larger for gate, x in zip(gates, inputs, strict=True)]
    if not any(signals):
        signals = [x.numel() == larger for x in inputs]
    share = relevance / sum(signals)
    return [share if signal else None for signal in signals]


def stabilise(z: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Moved away from 0 by a little, with its sign kept."""
    return z + STABILISER * torch.where(z < 0, -1.0, 1.0)
