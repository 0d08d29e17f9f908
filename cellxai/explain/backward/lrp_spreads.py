"""How a layer with weights spreads relevance over its inputs: the rules of LRP, as pure functions.

Each hands on as much as it receives. What the published rules ascribe to biases is spread over the
inputs in proportion to |input × weight|, and by |weight| where all inputs are 0. In the composites
for attention biases keep it, as published.

- ε: Bach et al. (2015), eq. 58; αβ: eq. 60;
- γ: Montavon et al. (2019), "Layer-wise relevance propagation: an overview", section 10.2.1;
- z^B: Montavon et al. (2017), "Explaining nonlinear classification decisions with deep Taylor
  decomposition", section 4.2; section 10.3.2 of the overview;
- flat: Lapuschkin et al. (2017), "Understanding and comparing deep neural networks for age and
  gender classification", section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

STABILISER = 1e-9
LEAST_STABILISER = 1e-30  # where relevance is 0 as soon as the output is: nothing explodes
ALPHA = 2.0  # and β = 1: Bach et al. (2015), eq. 60, with α − β = 1, which conserves
GAMMA = 0.25  # the overview's value for the lower layers

CompositeName = Literal[
    "epsilon", "epsilon-plus", "epsilon-alpha-beta", "epsilon-gamma",
    "epsilon-plus-flat", "epsilon-gamma-box", "attention", "attention-gamma",
]  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """A linear map with weights: a convolution or a matrix product.

    Args:
        weight: What multiplies the inputs.
        bias: What is added, shaped to broadcast over the output.
        linear: Input, weight → output without bias.
        answer: The output with bias, where it is known.
    """

    weight: Tensor
    bias: Tensor | None
    linear: Callable[[Tensor, Tensor], Tensor]
    answer: Tensor | None = None

    def back(self, x: Tensor, weight: Tensor, values: Tensor) -> Tensor:
        """The transposed map of ``weight``, from values of the output to the shape of ``x``."""
        if self.linear is F.linear:
            return values.to(weight) @ weight
        leaf = torch.zeros_like(x).requires_grad_()
        with torch.enable_grad():
            output = self.linear(leaf, weight)
        return torch.autograd.grad(output, leaf, values)[0]


@dataclass(frozen=True)
class Box:
    """Least and largest values that an input can have where all pixels are free in their range.

    Args:
        low: Shaped like the input.
        high: Shaped like the input; equal to ``low`` where something constant was padded in.
    """

    low: Tensor
    high: Tensor


Spread = Callable[[Tensor, Tensor, Layer], Tensor]
"""Relevance of the output, input, layer → relevance of the input."""

PixelSpread = Callable[[Tensor, Tensor, Layer, Box], Tensor]
"""The same of a layer whose input is pixels, and the box of their possible values."""


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


def proportional_spread(relevance: Tensor, x: Tensor, layer: Layer) -> Tensor:
    """The ε rule as published: the bias keeps its part."""
    z = layer.answer
    if z is None:
        z = layer.linear(x, layer.weight) + (0.0 if layer.bias is None else layer.bias)
    return x * layer.back(x, layer.weight, relevance / stabilise(z, LEAST_STABILISER))


def alpha_beta_spread(relevance: Tensor, x: Tensor, layer: Layer, alpha: float = 1.0) -> Tensor:
    """The αβ rule: α of the relevance to x·w > 0, 1 − α to x·w < 0, whatever the bias is.

    With α = 1 it is the z⁺ rule. Where all contributions have one sign they get everything.
    """
    above, below = sums_by_sign(x, layer)
    to_above = torch.where(below < 0, alpha, 1.0) * relevance / above
    to_below = torch.where(above > 0, 1.0 - alpha, 1.0) * relevance / below
    to_above, to_below = to_above.where(above > 0, 0.0), to_below.where(below < 0, 0.0)
    silent = relevance.where((above == 0) & (below == 0), 0.0)
    return hand_back(x, layer, to_above, to_below) + weight_spread(silent, x, layer)


def gamma_spread(
    relevance: Tensor,
    x: Tensor,
    layer: Layer,
    gamma: float = GAMMA,
    bias_absorbs: bool = False,
) -> Tensor:
    """The γ rule: as ε, with contributions of the output's own sign 1 + γ times as strong.

    The paper has it for inputs and outputs that are not negative. Where they are, contributions
    count by the sign of x·w, and a negative output is raised by what is negative.
    """
    above, below = sums_by_sign(x, layer)
    bias = torch.zeros_like(above) if layer.bias is None else layer.bias.expand_as(above)
    positive = above + below + bias >= 0
    of_above, of_below = (1 + gamma * sign for sign in (positive, ~positive))
    of_bias = bias * torch.where(bias >= 0, of_above, of_below)
    shares = relevance / stabilise(of_above * above + of_below * below + of_bias)
    if bias_absorbs:
        return hand_back(x, layer, shares * of_above, shares * of_below)
    rest = torch.where(above > below, shares * of_bias / stabilise(above - below), 0.0)
    silent = relevance.where((above == 0) & (below == 0), 0.0)
    handed = hand_back(x, layer, shares * of_above + rest, shares * of_below - rest)
    return handed + weight_spread(silent, x, layer)


def sums_by_sign(x: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """Sum of the contributions x·w > 0 to each output, and of those below 0."""
    (x_up, x_down), (w_up, w_down) = by_sign(x), by_sign(layer.weight)
    above = layer.linear(x_up, w_up) + layer.linear(x_down, w_down)
    return above, layer.linear(x_up, w_down) + layer.linear(x_down, w_up)


def hand_back(x: Tensor, layer: Layer, to_above: Tensor, to_below: Tensor) -> Tensor:
    """Relevance of the inputs, where contributions x·w > 0 and < 0 weigh so much per output."""
    (x_up, x_down), (w_up, w_down) = by_sign(x), by_sign(layer.weight)
    up = layer.back(x, w_up, to_above) + layer.back(x, w_down, to_below)
    down = layer.back(x, w_down, to_above) + layer.back(x, w_up, to_below)
    return x_up * up + x_down * down


def by_sign(values: Tensor) -> tuple[Tensor, Tensor]:
    """The positive and the negative part."""
    return values.clamp(min=0), values.clamp(max=0)


def weight_spread(
    relevance: Tensor, x: Tensor, layer: Layer, among: Tensor | None = None
) -> Tensor:
    """In proportion to |w|: what a bias alone has caused, behind inputs that are all 0.

    Args:
        relevance: Of the output.
        x: The input.
        layer: The layer.
        among: Strength of each input beside its |w|; None for 1.
    """
    among = torch.ones_like(x) if among is None else among
    size = layer.weight.abs()
    return among * layer.back(x, size, relevance / stabilise(layer.linear(among, size)))


def box_spread(relevance: Tensor, x: Tensor, layer: Layer, box: Box) -> Tensor:
    """The z^B rule: in proportion to x·w − low·w⁺ − high·w⁻, which is never negative."""
    w_up, w_down = by_sign(layer.weight)
    # As sums of what is not negative: nothing cancels.
    above, below = x - box.low, x - box.high
    total = layer.linear(above, w_up) + layer.linear(below, w_down)
    shares = (relevance / total).where(total > 0, 0.0)
    handed = above * layer.back(x, w_up, shares) + below * layer.back(x, w_down, shares)
    silent = relevance.where(total <= 0, 0.0)
    return handed + weight_spread(silent, x, layer, box.high - box.low)


def flat_spread(relevance: Tensor, x: Tensor, layer: Layer, box: Box) -> Tensor:
    """The flat rule: alike to all inputs that an output sees; what is padded in gets nothing."""
    varying = (box.high > box.low).to(x)
    alike = Layer(torch.ones_like(layer.weight), None, layer.linear)
    return weight_spread(relevance, x, alike, varying)


def stabilise(z: Float[Tensor, "*s"], by: float = STABILISER) -> Float[Tensor, "*s"]:
    """Moved away from 0 by a little, with its sign kept."""
    return z + by * torch.where(z < 0, -1.0, 1.0)


@dataclass(frozen=True)
class Composite:
    """Which rule a layer has by where it lies.

    Args:
        at_positions: Layers with positions: convolutions, and matrix products at many places.
        without_positions: The others.
        at_pixels: Layers that see the pixels themselves; None for the rule of the others.
        constants_absorb: Whether biases and whatever else is added keep their part.
    """

    at_positions: Spread
    without_positions: Spread
    at_pixels: PixelSpread | None = None
    constants_absorb: bool = False


def composite_of(name: CompositeName, gamma: float = GAMMA) -> Composite:
    """The composite of that name; ``gamma`` is the γ of those that have one."""
    strong = partial(gamma_spread, gamma=gamma)
    published = partial(strong, bias_absorbs=True)
    composites: dict[CompositeName, Composite] = {
        "epsilon": Composite(epsilon_spread, epsilon_spread),
        "epsilon-plus": Composite(alpha_beta_spread, epsilon_spread),
        "epsilon-alpha-beta": Composite(partial(alpha_beta_spread, alpha=ALPHA), epsilon_spread),
        "epsilon-gamma": Composite(strong, epsilon_spread),
        "epsilon-plus-flat": Composite(alpha_beta_spread, epsilon_spread, flat_spread),
        "epsilon-gamma-box": Composite(strong, epsilon_spread, box_spread),
        "attention": Composite(proportional_spread, proportional_spread, constants_absorb=True),
        "attention-gamma": Composite(published, proportional_spread, constants_absorb=True),
    }
    return composites[name]
