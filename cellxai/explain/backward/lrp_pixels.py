"""Which layers see the pixels themselves, and which values their inputs can have.

The rules of the pixel layer ask for the box of possible inputs: pixels lie in [0, 1], and the
network may normalise, pad or turn them first. The box is what becomes of the range of the pixels in
the network's own calls.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.backward.lrp_spreads import Box
from cellxai.explain.backward.rules import Call, Rule


@dataclass(frozen=True)
class Answer:
    """A tensor that the model got, until something else is written into it."""

    tensor: Tensor
    version: int

    @classmethod
    def of(cls, call: Call, output: Tensor) -> "Answer":
        """The answer of a call, which is written into the target of a call in place."""
        if call.target is None:
            return cls(output, output._version)
        return cls(call.target, call.target._version + 1)  # once the output is written into it

    def holds(self, tensor: object) -> bool:
        """Whether it is this tensor, unchanged."""
        return tensor is self.tensor and self.tensor._version == self.version


class KnownPixels:
    """Tensors of a forward pass that are still pixels, number by number, and their boxes."""

    def __init__(self) -> None:
        self._known: list[tuple[Answer, Box]] = []

    def begin(self, images: Float[Tensor, "b c h w"], low: float, high: float) -> None:
        """Notes what the model is given; the box is wider where a pixel lies outside of it."""
        pixels = images.detach()
        box = Box(pixels.clamp(max=low), pixels.clamp(min=high))
        self._known.append((Answer(images, images._version), box))

    def box_of(self, tensor: object) -> Box | None:
        """The box of a tensor of pixels; None of any other tensor."""
        return next((box for answer, box in self._known if answer.holds(tensor)), None)

    def follow(self, rule: Rule) -> Rule:
        """The rule of a function that keeps pixels apart, and never turns their order alone."""

        def rule_that_follows(call: Call) -> object:
            boxes = [self.box_of(tensor) for tensor in call.active.values()]
            answer = rule(call)
            if len(boxes) == 1 and boxes[0] is not None:
                self._note(call, answer, boxes[0])
            return answer

        return rule_that_follows

    def _note(self, call: Call, answer: object, box: Box) -> None:
        ends = call.run_on(box.low), call.run_on(box.high)
        if isinstance(answer, Tensor):
            self._known.append((Answer.of(call, answer), _ordered(*ends)))
        elif isinstance(answer, tuple | list):  # chunks of it
            for part, low, high in zip(answer, *ends, strict=True):
                self._known.append((Answer(part, part._version), _ordered(low, high)))


def _ordered(first: Tensor, second: Tensor) -> Box:
    return Box(torch.minimum(first, second), torch.maximum(first, second))
