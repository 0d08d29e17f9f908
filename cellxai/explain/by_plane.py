"""Players that are a superpixel in one plane: a coefficient for each stain and place.

The planes of an image are laid under each other, as one tall plane. What hides superpixels of the
tall image hides them in single planes of the image, whatever the method: the model lays the planes
back before it looks. With one plane everything is as it was, to the last bit.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.status import doubt_of_images
from cellxai.explain.superpixels.base import paint_each
from cellxai.explain.verdict import with_doubts

Attribute = Callable[[Model, Float[Tensor, "b c h w"], Int[Tensor, " b"], Context], Attribution]
"""A method that gives each superpixel a coefficient, called as an explainer is."""


class SuperpixelExplainer(Explainer):
    """An explainer that gives each superpixel a coefficient, or each superpixel in each plane.

    Attributes:
        by_plane: Whether its players are superpixel × plane.
    """

    by_plane: bool

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        if self.by_plane:
            return attribute_by_plane(self.attribute_superpixels, model, images, targets, context)
        return self.attribute_superpixels(model, images, targets, context)

    @abstractmethod
    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """What :meth:`attribute` answers where players are superpixels."""


def attribute_by_plane(
    attribute: Attribute,
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """What a method answers where its players are the superpixels of each plane.

    A superpixel's own value is the sum of its values in the planes, and so is each pixel's.
    *Degraded* where the planes of an image are all alike, as of a grey image shown thrice.

    Args:
        attribute: The method, by superpixel.
        model: Images in [0, 1] to scores.
        images: The images to explain.
        targets: The class to explain, one per image.
        context: Superpixels of the images, baseline, seed and budget.
    """
    n_planes, height, width = images.shape[1:]

    def model_of_tall(tall: Float[Tensor, "n 1 tall w"]) -> Float[Tensor, "n k"]:
        return model(tall.reshape(len(tall), n_planes, height, width))

    tall_context = replace(
        context,
        superpixels=players(context.superpixels, n_planes),
        baseline=lay_under_each_other(context.baseline),
    )
    tall = attribute(model_of_tall, lay_under_each_other(images), targets, tall_context)
    assert tall.superpixel_values is not None, "players are superpixels"
    by_plane = tall.superpixel_values.unflatten(1, (-1, n_planes)).mT
    painted = paint_each(list(by_plane), context.superpixels)
    covariance = tall.superpixel_covariance
    attribution = replace(
        tall,
        values=painted.sum(1),
        superpixel_values=by_plane.sum(1),
        plane_values=painted,
        superpixel_plane_values=by_plane,
        superpixel_covariance=None if covariance is None else _of_sums(covariance, n_planes),
        reason=tall.reason.replace("superpixels", "superpixels of single planes"),
    )
    return doubt_equal_planes(attribution, images)


def _of_sums(covariance: Float[Tensor, "b k k"], n_planes: int) -> Float[Tensor, "b s s"]:
    """Covariance of the sums over planes, of that of the players."""
    return covariance.unflatten(2, (-1, n_planes)).sum(3).unflatten(1, (-1, n_planes)).sum(2)


def lay_under_each_other(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 tall w"]:
    """The planes of each image as one plane, the first on top."""
    return images.reshape(len(images), 1, -1, images.shape[-1])


def players(superpixels: Int[Tensor, "b h w"], n_planes: int) -> Int64[Tensor, "b tall w"]:
    """Labels of the tall image: superpixel s in plane p is player s · n_planes + p.

    So the players of one superpixel follow each other, and those that an image lacks, since it has
    fewer superpixels than others, come last.
    """
    plane = torch.arange(n_planes, device=superpixels.device)[:, None, None]
    labels = superpixels.long()[:, None] * n_planes + plane
    return labels.flatten(1, 2)


def doubt_equal_planes(attribution: Attribution, images: Float[Tensor, "b c h w"]) -> Attribution:
    """*Degraded* where a grey image came as several planes: none can be hidden by itself."""
    alike = (images == images[:, :1]).flatten(1).all(1) & (images.shape[1] > 1)
    doubt = doubt_of_images(alike, "all planes are alike, and hiding one shows what no image is")
    return attribution if doubt is None else with_doubts(attribution, [doubt])
