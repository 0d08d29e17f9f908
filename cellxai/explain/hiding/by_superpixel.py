"""Runs Captum's perturbation methods with superpixels as features, one image after the other."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.seeding import seeded
from cellxai.explain.superpixels.base import paint_each, superpixel_means

Captum = Callable[..., Tensor]
"""Called with image, baselines, target, feature_mask and perturbations_per_eval by name."""


class NotFiniteError(Exception):
    """A model answered NaN or infinity; no surrogate can be fitted to that."""


def attribute_by_superpixel(
    attribute: Captum,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: Context,
) -> Attribution:
    """One coefficient per superpixel, seeded by image; NaN for an image with scores not finite.

    Args:
        attribute: Returns a value per pixel, constant in each superpixel.
        images: The images to explain.
        targets: The class to explain, one per image.
        context: Superpixels, baseline, seed and batch size.
    """
    with torch.no_grad():
        coefficients = [
            _coefficients(attribute, images[i : i + 1], targets[i : i + 1], context, i)
            for i in range(len(images))
        ]
    return Attribution(
        paint_each(coefficients, context.superpixels),
        superpixel_values=pad_sequence(coefficients, True, torch.nan),
    )


def _coefficients(
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


def with_finite_check(model: Model) -> Model:
    """The model, but it raises :class:`NotFiniteError` instead of answering NaN or infinity."""

    def checked_scores(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        scores = model(images)
        if not scores.isfinite().all():
            raise NotFiniteError("the model's scores are not finite")
        return scores

    return checked_scores
