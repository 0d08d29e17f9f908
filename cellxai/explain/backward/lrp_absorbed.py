"""Relevance that ends at a constant of the network and reaches no pixel, counted by what it is."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.backward.rules import Backward, Call, is_active

BIAS, TOKEN, POSITION, ATTENTION, PADDING = (
    "biases", "class token and registers", "position embedding", "attention", "padding",
)  # fmt: skip
WORTH_KNOWING = 0.005  # of the score: less is printed as 0 %


class Absorbed:
    """Where the relevance of a batch of images ends on its way to the pixels.

    The first axis of what a network computes are its images, or windows of the first image, then
    windows of the second. Where it is neither, all images of the batch are given the same.

    Args:
        images: The batch.

    Attributes:
        by_kind: Relevance that constants of each kind have taken of each image.
    """

    def __init__(self, images: Float[Tensor, "b c h w"]) -> None:
        self.by_kind: dict[str, Float[Tensor, " b"]] = {}
        self._zero = torch.zeros_like(images[:, 0, 0, 0], dtype=torch.float32).double()

    def total(self) -> Float[Tensor, " b"]:
        """All that constants have taken of each image."""
        return sum(self.by_kind.values(), self._zero)

    def of_kind(self, kind: str) -> Float[Tensor, " b"]:
        """What constants of one kind have taken of each image."""
        return self.by_kind.get(kind, self._zero)

    def count(self, kind: str, relevance: Tensor) -> None:
        """Adds relevance that constants of a kind have taken."""
        so_far = self.of_kind(kind)
        self.by_kind[kind] = so_far + per_image(relevance, len(self._zero)).to(so_far)

    def rest_of(self, kind: str, backward: Backward) -> Backward:
        """The same backward pass; what it does not hand on is taken by constants of that kind."""

        def counting(
            relevance: Tensor, inputs: Sequence[Tensor], output: Tensor
        ) -> Sequence[Tensor | None]:
            handed_on = backward(relevance, inputs, output)
            self.count(kind, relevance)
            for part in handed_on:
                if part is not None:
                    self.count(kind, -per_image(part, len(self._zero)))
            return handed_on

        return counting

    def count_joined(self, kind: str, call: Call, answer: Tensor) -> None:
        """Counts what constants get that a call such as ``cat`` joins to tensors of the network."""
        parts, *others = call.args
        if all(map(is_active, parts)):
            return
        marks = [torch.full_like(part, not is_active(part), requires_grad=False) for part in parts]
        is_constant = call.function(marks, *others, **call.kwargs).detach()
        answer.register_hook(lambda relevance: self.count(kind, relevance * is_constant))


def per_image(relevance: Tensor, n_images: int) -> Float[Tensor, " b"]:
    """Sum of the relevance of each image; alike for all where the first axis holds no images."""
    if relevance.dim() and len(relevance) % n_images == 0:
        return relevance.reshape(n_images, -1).sum(1)
    return (relevance.sum() / n_images).expand(n_images)


def shares_in_words(
    by_kind: dict[str, Float[Tensor, " b"]], promised: Float[Tensor, " b"]
) -> list[str]:
    """Each kind with its share of the score, of all images together."""
    whole = promised.abs().sum().clamp(min=torch.finfo(promised.dtype).tiny)
    signs = promised.sign()
    shares = {kind: float((taken * signs).sum() / whole) for kind, taken in by_kind.items()}
    largest_first = sorted(shares, key=lambda kind: -abs(shares[kind]))
    named = [kind for kind in largest_first if abs(shares[kind]) >= WORTH_KNOWING]
    return [f"{kind} {shares[kind]:.0%}" for kind in named]
