"""Captum's perturbation methods with superpixels as features, one image after the other."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.seeding import seeded
from cellxai.explain.superpixels.base import painted, superpixel_means

Captum = Callable[..., Tensor]
"""Called with image, baselines, target, feature_mask and perturbations_per_eval by name."""


class NotFiniteError(Exception):
    """A model answered NaN or infinity, which no surrogate can be fitted to."""


def by_superpixel(
    attribute: Captum,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """One coefficient per superpixel, seeded by image; NaN for an image with scores that are none.

    Args:
        attribute: Returns a value per pixel, constant in each superpixel.
        images: The images to explain.
        targets: The class to explain, one per image.
        context: Superpixels, baseline, seed and batch size.
    """
    with torch.no_grad():
        coefficients = [
            _of_one(attribute, images[i : i + 1], targets[i : i + 1], context, i)
            for i in range(len(images))
        ]
    pairs = zip(coefficients, context.superpixels, strict=True)
    return Attribution(
        torch.stack([painted(*pair) for pair in pairs]),
        superpixel_values=pad_sequence(coefficients, True, torch.nan),
    )


def _of_one(
    attribute: Captum,
    image: Float[Tensor, "1 c h w"],
    target: Int[Tensor, "1"],
    context: Context,
    i: int,
) -> Float[Tensor, " s"]:
    labels = context.superpixels[i]
    try:
        with seeded(image[0], context.seed):
            values = attribute(
                image,
                baselines=context.baseline[i : i + 1],
                target=target,
                feature_mask=labels[None, None],
                perturbations_per_eval=context.batch_size,
            )
    except NotFiniteError:
        return image.new_full((int(labels.max()) + 1,), torch.nan)
    return superpixel_means(values[0, 0].to(image.dtype), labels)


def finite(model: Model) -> Model:
    """The model, which raises :class:`NotFiniteError` rather than answering NaN or infinity."""

    def scores(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        answer = model(images)
        if not answer.isfinite().all():
            raise NotFiniteError
        return answer

    return scores
