"""What a view is: one way of looking at an image, as rows of numbers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from cellxai.density.densities import Density, ShrunkGaussian


@dataclass(frozen=True)
class Seen:
    """What views look at: images, and what a network makes of them.

    Args:
        images: In [0, 1].
        layers: Outputs of layers by name; those with places as [b c h w].
        features: Penultimate features; ``None`` without a network.
        logits: Logits; ``None`` without a network.
    """

    images: Float[Tensor, "b p h w"]
    layers: Mapping[str, Float[Tensor, "b ..."]]
    features: Float[Tensor, "b f"] | None = None
    logits: Float[Tensor, "b k"] | None = None


class View(ABC):
    """One way of looking at an image, with a density of what it sees.

    Subclass it in your own file and name it in a config; the arguments of ``__init__`` stay as
    attributes of the same name.

    Args:
        density: What is learned of the rows of known images.

    Attributes:
        needs_network: Whether it looks at what a network makes of an image, and not at pixels.
        of_head: Whether it looks at what the last layer of the network gives.
        layers: Dotted names of the layers that it looks at.
        meaning: What is strange about an image that surprises it, in a few words.
    """

    needs_network: ClassVar[bool] = True
    of_head: ClassVar[bool] = False
    layers: Sequence[str] = ()
    meaning: str = ""

    def __init__(self, density: Density = ShrunkGaussian()) -> None:
        self.density = density

    @abstractmethod
    def rows(self, seen: Seen) -> Float[Tensor, "b *places f"]:
        """What it sees of each image: one row, or one for each place; differentiable."""

    @abstractmethod
    def of_image(self, surprise: Float[Tensor, "b *places"]) -> Float[Tensor, " b"]:
        """The surprise of an image from that of its rows; differentiable."""
