"""Layer-wise relevance propagation as rules for the functions of torch.

What travels back is relevance, not a gradient. Each function hands on as much as it receives:

- convolutions and linear layers in proportion to input × weight, by the rule of the composite; the
  BatchNorm that follows a convolution is folded into it first;
- sums (residuals, pooling) in proportion to what is summed, a maximum to its winner;
- activations, normalisation, and products with a constant hand it on unchanged;
- of a product with a gate, the signal gets all: the gate counts as a constant;
- attention by :mod:`cellxai.explain.backward.lrp_attention`.

The rules of layers with weights are in :mod:`cellxai.explain.backward.lrp_spreads`. A composite in
which constants absorb gives biases, whatever else is added, and the bias of a norm their own part.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor

from cellxai.explain.backward.activations import RELU_WORDS, relu_in_other_words
from cellxai.explain.backward.lrp_absorbed import (
    ATTENTION,
    BIAS,
    PADDING,
    POSITION,
    TOKEN,
    Absorbed,
)
from cellxai.explain.backward.lrp_attention import (
    attention_shares,
    norm_shares,
    share_in_proportion,
    softmax_shares,
)
from cellxai.explain.backward.lrp_folding import BatchNorm, fold
from cellxai.explain.backward.lrp_pixels import Answer, KnownPixels
from cellxai.explain.backward.lrp_spreads import (
    LEAST_STABILISER,
    STABILISER,
    Composite,
    Spread,
    layer_of,
)
from cellxai.explain.backward.rules import (
    Backward,
    Call,
    NoRuleError,
    Rule,
    Rules,
    own_gradient,
    own_rule,
    refusing_rule,
)

MOVING = [  # whose own gradient already moves relevance where it came from
    "__getitem__", "__get__", "cat", "stack", "flatten", "unflatten", "reshape", "view",
    "permute", "transpose", "contiguous", "clone", "to", "float", "double", "squeeze",
    "unsqueeze", "expand", "unbind", "chunk", "split", "roll", "flip", "dropout",
    "dropout2d", "max_pool2d", "type_as", "movedim", "narrow", "select", "repeat", "swapaxes",
    "view_as", "reshape_as", "expand_as", "masked_fill", "moveaxis", "index_select", "gather",
]  # fmt: skip
ONE_TO_ONE = [
    "relu", "relu6", "hardtanh", "silu", "gelu", "hardswish", "tanh", "elu", "selu", "celu",
    "leaky_relu", "mish", "softplus", "softsign", "layer_norm", "group_norm", "instance_norm",
    "div", "__truediv__", "divide", "true_divide", "neg", "negative", "clamp", "clip", "normalize",
    "rms_norm",
]  # fmt: skip
STATISTICS = ("norm", "var", "std")  # of what they are divided by: constants, as in norms
MATRIX_PRODUCTS = ("matmul", "__matmul__", "bmm", "einsum")
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


class RelevancePass:
    """One forward pass whose backward pass shall carry relevance, and its rules.

    Args:
        images: What the model is given.
        composite: Which rule a layer has.
        box: Least and largest value of a pixel.

    Attributes:
        absorbed: What ends at constants; all of it after the backward pass.
        n_pixel_layers: Layers so far that had the rule of the pixels.
        hidden: Which functions no rule has seen, in words; empty for none.
    """

    def __init__(
        self,
        images: Float[Tensor, "b c h w"],
        composite: Composite,
        box: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.composite = composite
        self.box = box
        self.absorbed = Absorbed(images)
        self.n_pixel_layers = 0
        self.hidden = ""
        self._pixels = KnownPixels()
        self._gates: list[Answer] = []
        self._last_convolution: tuple[Answer, Call, Spread] | None = None

    def rules(self) -> Rules:
        """The rules to enter around the pass."""
        by_name: dict[str, Rule] = dict.fromkeys(MOVING, own_rule)
        by_name |= dict.fromkeys(ONE_TO_ONE, unchanged_rule)
        by_name |= dict.fromkeys(SUMS, self.sum_rule)
        by_name |= dict.fromkeys(GATES, self.gate_rule)
        by_name |= dict.fromkeys(ADDITIONS, self.addition_rule)
        by_name |= dict.fromkeys(PRODUCTS, self.product_rule)
        by_name |= {"conv2d": self.convolution_rule, "batch_norm": self.batch_norm_rule}
        by_name |= {"linear": self.matrix_rule, "softmax": self.softmax_rule}
        by_name |= {"scaled_dot_product_attention": self.attention_rule}
        by_name |= dict.fromkeys(MATRIX_PRODUCTS, self.matrix_product_rule)
        by_name |= dict.fromkeys(STATISTICS, constant_rule)
        by_name |= {"cat": self.joining_rule, "stack": self.joining_rule, "pad": self.pad_rule}
        by_name |= {"addcmul": self.addition_rule}
        if self.composite.constants_absorb:
            by_name |= {"layer_norm": self.norm_rule}
        if self.follows_pixels:
            by_name |= {name: self._pixels.follow(by_name[name]) for name in KEEPING_PIXELS}
        relu = relu_in_other_words(unchanged_rule)
        by_name |= {name: relu(by_name.get(name, refusing_rule)) for name in RELU_WORDS}
        return Rules(by_name, otherwise=refusing_rule)

    def note_pixels(self, images: Float[Tensor, "b c h w"]) -> None:
        """Remembers what the model is given."""
        self._pixels.begin(images, *self.box)

    @property
    def follows_pixels(self) -> bool:
        """Whether it has to be known which tensors are pixels.

        What normalisation subtracts from pixels is the choice of a unit, and no evidence.
        """
        return self.composite.at_pixels is not None or self.composite.constants_absorb

    def convolution_rule(self, call: Call) -> Tensor:
        """By the composite, and remembered for the BatchNorm that may follow."""
        spread = self._spread(call, self.composite.at_positions)
        output = self._answer_and_spread(call, spread)
        self._last_convolution = (Answer.of(call, output), call, spread)
        return output

    def matrix_rule(self, call: Call) -> Tensor:
        """A linear layer that is applied at many positions is a 1×1 convolution."""
        has_positions = any(x.dim() > 2 for x in call.active.values())
        composite = self.composite
        usual = composite.at_positions if has_positions else composite.without_positions
        return self._answer_and_spread(call, self._spread(call, usual))

    def batch_norm_rule(self, call: Call) -> Tensor:
        """Folded into the convolution whose output it normalises; unchanged relevance elsewhere."""
        norm = BatchNorm(*call.args, **call.kwargs)
        if self._last_convolution is None or norm.running_mean is None:  # statistics of the batch
            return self._affine_rule(call, BIAS)
        output, convolution, spread = self._last_convolution
        if not output.holds(norm.input):
            return self._affine_rule(call, BIAS)
        return self._answer_and_spread(fold(convolution, norm), spread)

    def norm_rule(self, call: Call) -> Tensor:
        """Linear, the standard deviation a constant; the mean is not, and the bias takes its part.

        Unchanged relevance would be divided by an input near 0 in the next layer.
        """
        return call.run_with_backward(self.absorbed.rest_of(BIAS, partial(norm_shares, call)))

    def softmax_rule(self, call: Call) -> Tensor:
        """By the Taylor expansion, whose constant takes the rest."""
        shares = partial(softmax_shares, call)
        return call.run_with_backward(self.absorbed.rest_of(ATTENTION, shares))

    def attention_rule(self, call: Call) -> Tensor:
        """As the matrix products and the softmax that it is made of."""
        shares = self._proportional(call, attention_shares(call))
        return call.run_with_backward(self.absorbed.rest_of(ATTENTION, shares))

    def matrix_product_rule(self, call: Call) -> Tensor:
        """Linear in one answer of the network, and of two each gets a half."""
        n = len(call.active)
        return call.run_with_backward(self._proportional(call, [1 / n] * n))

    def sum_rule(self, call: Call) -> Tensor:
        """Each summand gets its share of the sum."""
        return call.run_with_backward(self._proportional(call))

    def addition_rule(self, call: Call) -> Tensor:
        """Two branches share; a constant asks for nothing, or takes its part."""
        return self.sum_rule(call) if len(call.active) > 1 else self._affine_rule(call, POSITION)

    def joining_rule(self, call: Call) -> Any:
        """Torch's own; what constants get that are joined is counted."""
        answer = call.run()
        self.absorbed.count_joined(TOKEN, call, answer)
        return answer

    def pad_rule(self, call: Call) -> Tensor:
        """Moves relevance back; what the padding gets is counted."""
        moved = partial(own_gradient, call)
        return call.run_with_backward(self.absorbed.rest_of(PADDING, moved))

    def _affine_rule(self, call: Call, kind: str) -> Tensor:
        """A constant that is added; of pixels it never takes anything."""
        is_of_pixels = any(self._pixels.box_of(x) is not None for x in call.active.values())
        if is_of_pixels or not self.composite.constants_absorb:
            return unchanged_rule(call)
        return call.run_with_backward(self.absorbed.rest_of(kind, self._proportional(call)))

    def _proportional(self, call: Call, shares: Sequence[float] | None = None) -> Backward:
        """Each input's part; where constants absorb, no relevance is at outputs of 0."""
        absorbs = self.composite.constants_absorb
        stabiliser = LEAST_STABILISER if absorbs else STABILISER
        return partial(share_in_proportion, call, shares=shares, stabiliser=stabiliser)

    def _answer_and_spread(self, call: Call, spread: Spread) -> Tensor:
        """The answer of a layer with weights, whose relevance is spread over its input.

        Raises:
            NoRuleError: If the weights come from the images.
        """
        if len(call.active) > 1:
            raise NoRuleError(f"no rule for torch's {call.name} whose weights come from the images")
        layer = layer_of(call.name, *call.args, **call.kwargs)

        def backward(
            relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
        ) -> Sequence[Tensor]:
            return [spread(relevance, inputs[0], replace(layer, answer=output))]

        absorbs = self.composite.constants_absorb and layer.bias is not None
        return call.run_with_backward(
            self.absorbed.rest_of(BIAS, backward) if absorbs else backward
        )

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


def constant_rule(call: Call) -> Any:
    """A number that the network divides by counts as a constant."""
    return call.run().detach()


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
