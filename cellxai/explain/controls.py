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
    """Independent standard normal numbers, parted at random among the planes."""

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
        generators = [generator_of(image, context.seed) for image in images]
        values = torch.stack([torch.randn(shape, generator=drawn) for drawn in generators])
        noise = torch.stack(
            [torch.randn(images.shape[1:], generator=drawn) for drawn in generators]
        )
        values, noise = values.to(images), noise.to(images)
        own = noise - noise.mean(1, keepdim=True)
        return Attribution(values, plane_values=own + (values / images.shape[1])[:, None])


class Edges(Explainer):
    """Magnitude of the Sobel gradient of the grey image: never negative.

    Parted among the planes as each plane's own magnitude is.
    """

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
        values = sobel_magnitude(images.detach().mean(1))
        own = torch.stack([sobel_magnitude(plane) for plane in images.detach().unbind(1)], 1)
        total = own.sum(1, keepdim=True)
        shares = torch.where(total > 0, own / total, 1 / images.shape[1])
        return Attribution(values, plane_values=shares * values[:, None])


class CentreGaussian(Explainer):
    """A bell in the middle, where photographers put things: never negative.

    Args:
        width: Its standard deviation as a share of each side.
    """

    is_control = True
    meaning = OF_CONTROLS
    no_planes = "is the same bell in every plane"

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
        own = images.detach() - images.detach().mean((2, 3), keepdim=True)
        values = grey - grey.mean((1, 2), keepdim=True)
        return Attribution(values, plane_values=own / images.shape[1])


def sobel_magnitude(images: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Length of the Sobel gradient per pixel step; pixels past the border repeat the border."""
    smooth, slope = images.new_tensor([1.0, 2.0, 1.0]) / 4, images.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]
    bordered = F.pad(images[:, None], (1, 1, 1, 1), mode="replicate")
    return F.conv2d(bordered, kernels).norm(dim=1)
