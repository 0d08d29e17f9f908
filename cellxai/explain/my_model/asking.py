"""Asks one explainer about a batch; each image gets an answer of its own."""

from dataclasses import fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Cost, Explainer
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.my_model.lazy_context import LazyContext
from cellxai.explain.my_model.reading import ModelError, ReadModel


def ask_each(
    explainer: Explainer,
    model: ReadModel,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    context: LazyContext,
) -> list[Attribution]:
    """One attribution [1 h w] per image, each with its own status.

    All at once where all is well. An attribution of a batch has one status: with any doubt the
    images are asked about one by one, so that it stands where it belongs. What stops with an error
    is ``failed``, and its map NaN.

    Raises:
        ModelError: If the model does not fit the images: that is no fault of an explainer.
    """
    try:
        attribution = attribute_with_cost(explainer, model, images, targets, context, memory=False)
    except ModelError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
        nothing = torch.full_like(images[:, 0], torch.nan)
        attribution = Attribution(nothing, status="failed", reason=reason)
    if len(images) == 1:
        return [attribution]
    if attribution.status == "ok":
        return [of_image(attribution, place, len(images)) for place in range(len(images))]
    singles = zip(images.split(1), targets.split(1), strict=True)
    return [
        ask_each(explainer, model, image, target, context.of_image(place))[0]
        for place, (image, target) in enumerate(singles)
    ]


def of_image(attribution: Attribution, place: int, n_images: int) -> Attribution:
    """The part of one image in the attribution of a batch; costs are shared equally."""
    rows = slice(place, place + 1)
    own = {
        field.name: value[rows]
        for field in fields(attribution)
        if isinstance(value := getattr(attribution, field.name), Tensor)
    }
    cost: Cost = attribution.cost
    share = replace(
        cost,
        forwards=round(cost.forwards / n_images),
        backwards=round(cost.backwards / n_images),
        seconds=cost.seconds / n_images,
    )
    return replace(attribution, **own, cost=share)
