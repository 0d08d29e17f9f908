"""Layer-wise relevance propagation as rules for the functions of torch.

What travels back is relevance, not a gradient. Each function hands on as much as it receives:

- convolutions and linear layers in proportion to input × weight, by the rule of the composite; the
  BatchNorm that follows a convolution is folded into it first;
- sums (residuals, pooling) in proportion to what is summed, a maximum to its winner;
- activations, normalisation, and products with a constant hand it on unchanged;
- of a product with a gate, the signal gets all: the gate counts as a constant.

The rules of layers with weights are in :mod:`cellxai.explain.backward.lrp_spreads`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.activations import RELU_WORDS, relu_in_other_words
from cellxai.explain.backward.lrp_pixels import Answer, KnownPixels
from cellxai.explain.backward.lrp_spreads import Composite, Spread, layer_of, stabilise
from cellxai.explain.backward.rules import Call, NoRuleError, Rule, Rules, own_rule, refusing_rule

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
    "div", "__truediv__", "divide", "true_divide", "neg", "negative", "clamp", "clip",
]  # fmt: skip
ADDITIONS = ("add", "sub", "subtract", "rsub", "__radd__", "__rsub__")
PRODUCTS = ("mul", "multiply", "__rmul__")
GATES = ("sigmoid", "hardsigmoid")
SUMS = ["mean", "sum", "avg_pool2d", "adaptive_avg_pool2d", "interpolate"]
KEEPING_PIXELS = [  # each number of the answer is one of the input's, by a monotone function
    "__getitem__", "flatten", "unflatten", "reshape", "view", "permute", "transpose", "contiguous",
    "clone", "to", "float", "double", "squeeze", "unsqueeze", "unbind", "chunk", "split", "flip",
    "pad", "movedim", "narrow", "select", "view_as", "reshape_as", "div", "__truediv__", "divide",
    "true_divide", "neg", "negative", "clamp", "clip", "batch_norm", *ADDITIONS, *PRODUCTS,
]  # fmt: skip


@dataclass(frozen=True)
class Convolution:
    """The arguments of torch's ``conv2d``, by its names."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: int | Sequence[int] = 1
    padding: int | str | Sequence[int] = 0
    dilation: int | Sequence[int] = 1
    groups: int = 1


@dataclass(frozen=True)
class BatchNorm:
    """The arguments of torch's ``batch_norm``, by its names; statistics are None in training."""

    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


class RelevancePass:
    """One forward pass whose backward pass shall carry relevance, and its rules.

    Args:
        composite: Which rule a layer has.
        box: Least and largest value of a pixel.

    Attributes:
        n_pixel_layers: Layers so far that had the rule of the pixels.
        hidden: Which functions no rule has seen, in words; empty for none.
    """

    def __init__(self, composite: Composite, box: tuple[float, float] = (0.0, 1.0)) -> None:
        self.composite = composite
        self.box = box
        self.n_pixel_layers = 0
        self.hidden = ""
        self._pixels = KnownPixels()
        self._gates: list[Answer] = []
        self._last_convolution: tuple[Answer, Call, Spread] | None = None

    def rules(self) -> Rules:
        """The rules to enter around the pass."""
        by_name: dict[str, Rule] = dict.fromkeys(MOVING, own_rule)
        by_name |= dict.fromkeys(ONE_TO_ONE, unchanged_rule)
        by_name |= dict.fromkeys(SUMS, sum_rule)
        by_name |= dict.fromkeys(GATES, self.gate_rule)
        by_name |= dict.fromkeys(ADDITIONS, addition_rule)
        by_name |= dict.fromkeys(PRODUCTS, self.product_rule)
        by_name |= {"conv2d": self.convolution_rule, "batch_norm": self.batch_norm_rule}
        by_name |= {"linear": self.matrix_rule}
        if self.composite.at_pixels is not None:
            by_name |= {name: self._pixels.follow(by_name[name]) for name in KEEPING_PIXELS}
        relu = relu_in_other_words(unchanged_rule)
        by_name |= {name: relu(by_name.get(name, refusing_rule)) for name in RELU_WORDS}
        return Rules(by_name, otherwise=refusing_rule)

    def note_pixels(self, images: Float[Tensor, "b c h w"]) -> None:
        """Remembers what the model is given."""
        self._pixels.begin(images, *self.box)

    def convolution_rule(self, call: Call) -> Tensor:
        """By the composite, and remembered for the BatchNorm that may follow."""
        spread = self._spread(call, self.composite.at_positions)
        output = answer_and_spread(call, spread)
        self._last_convolution = (Answer.of(call, output), call, spread)
        return output

    def matrix_rule(self, call: Call) -> Tensor:
        """A linear layer that is applied at many positions is a 1×1 convolution."""
        has_positions = any(x.dim() > 2 for x in call.active.values())
        composite = self.composite
        usual = composite.at_positions if has_positions else composite.without_positions
        return answer_and_spread(call, self._spread(call, usual))

    def batch_norm_rule(self, call: Call) -> Tensor:
        """Folded into the convolution whose output it normalises; unchanged relevance elsewhere."""
        norm = BatchNorm(*call.args, **call.kwargs)
        if self._last_convolution is None or norm.running_mean is None:  # statistics of the batch
            return unchanged_rule(call)
        output, convolution, spread = self._last_convolution
        if not output.holds(norm.input):
            return unchanged_rule(call)
        return answer_and_spread(fold(convolution, norm), spread)

    def _spread(self, call: Call, usual: Spread) -> Spread:
        """The rule of a layer: that of the pixels where it sees them."""
        at_pixels = self.composite.at_pixels
        boxes = [self._pixels.box_of(x) for x in call.active.values()]
        if at_pixels is None or len(boxes) != 1 or boxes[0] is None:
            return usual
        self.n_pixel_layers += 1
        box = boxes[0]
        return lambda relevance, x, layer: at_pixels(relevance, x, layer, box)

    def gate_rule(self, call: Call) -> Tensor:
        """Unchanged, and remembered."""
        output = unchanged_rule(call)
        self._gates.append(Answer.of(call, output))
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
    if len(call.active) > 1:
        raise NoRuleError(f"no rule for torch's {call.name} whose weights come from the images")
    layer = layer_of(call.name, *call.args, **call.kwargs)
    return call.run_with_backward(
        lambda relevance, inputs, output: [spread(relevance, inputs[0], layer)]
    )


def fold(call: Call, norm: BatchNorm) -> Call:
    """The convolution whose weight and bias include the normalisation that follows it."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution = Convolution(*call.args, **call.kwargs)
    scale = (norm.running_var + norm.eps).rsqrt() * (1.0 if norm.weight is None else norm.weight)
    centred = (0.0 if convolution.bias is None else convolution.bias) - norm.running_mean
    shift = centred * scale + (0.0 if norm.bias is None else norm.bias)
    kernel = convolution.weight * scale[:, None, None, None]
    settings = (convolution.stride, convolution.padding, convolution.dilation, convolution.groups)
    # What is made of weights alone must not look active, where a plain function cannot be frozen.
    args = (convolution.input, kernel.detach(), shift.detach(), *settings)
    return Call("conv2d", F.conv2d, args, {})


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
