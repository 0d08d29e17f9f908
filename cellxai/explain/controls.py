"""Controls: maps that know nothing of the model. A method has to beat them to explain anything.

A control of your own is an explainer with ``is_control = True``.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.seeding import generator_of

OF_CONTROLS = "a control: it knows nothing of the model"


class RandomAttribution(Explainer):
    """Independent standard normal numbers."""

    is_control = True
    meaning = OF_CONTROLS

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        shape = images.shape[-2:]
        maps = [torch.randn(shape, generator=generator_of(x, context.seed)) for x in images]
        return Attribution(torch.stack(maps).to(images))


class Edges(Explainer):
    """Magnitude of the Sobel gradient of the grey image: never negative."""

    is_control = True
    meaning = OF_CONTROLS

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return Attribution(sobel_magnitude(images.detach().mean(1)))


class CentreGaussian(Explainer):
    """A bell in the middle, where photographers put things: never negative.

    Args:
        width: Its standard deviation as a share of each side.
    """

    is_control = True
    meaning = OF_CONTROLS

    def __init__(self, width: float = 0.25) -> None:
        if not width > 0:
            raise ValueError(f"width={width} gives no bell; pass width>0")
        self.width = width

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        rows, columns = (
            torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (self.width * n)).square())
            for n in images.shape[-2:]
        )
        return Attribution(rows.outer(columns).to(images).expand(len(images), -1, -1).clone())


class ImageItself(Explainer):
    """The grey image minus its mean: bright speaks for the class, dark against it."""

    is_control = True
    meaning = OF_CONTROLS

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        grey = images.detach().mean(1)
        return Attribution(grey - grey.mean((1, 2), keepdim=True))


def sobel_magnitude(images: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Length of the Sobel gradient per pixel step; pixels past the border repeat the border."""
    smooth, slope = images.new_tensor([1.0, 2.0, 1.0]) / 4, images.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]
    bordered = F.pad(images[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(bordered, kernels).norm(dim=1)
