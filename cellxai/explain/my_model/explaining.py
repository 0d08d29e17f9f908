"""``explain``: any torch model and its images, by any explainers, in one call."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.baselines import Baseline, BlurBaseline
from cellxai.explain.cost import frozen
from cellxai.explain.my_model.asking import ask_each
from cellxai.explain.my_model.explanation import Explanation, Subject
from cellxai.explain.my_model.explanations import Explanations
from cellxai.explain.my_model.images import Bounds, PlaneValues
from cellxai.explain.my_model.lazy_context import LazyContext, lazy_context_of
from cellxai.explain.my_model.naming import (
    DEFAULT_EXPLAINERS,
    Explainers,
    explainers_by_name,
)
from cellxai.explain.my_model.question import read_question
from cellxai.explain.my_model.reading import ModelError, Reading, ReadModel
from cellxai.explain.my_model.untouched import untouched
from cellxai.explain.precision import float32_products
from cellxai.explain.score import Logit, followed_by_curves
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Slic


def explain(
    model: Callable[[Tensor], Any],
    images: Any,
    explainers: Explainers = DEFAULT_EXPLAINERS,
    *,
    target: Any = None,
    classes: Sequence[str] | None = None,
    output: str | int | None = None,
    output_is: str = "logits",
    mean: PlaneValues | None = None,
    std: PlaneValues | None = None,
    bounds: Bounds | None = None,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    superpixels: Superpixels | None = None,
    baseline: Baseline | None = None,
    seeds: Sequence[int] = (0,),
    batch_size: int = 32,
    names: Sequence[str] | None = None,
) -> Explanations:
    """Maps of what a model looks at in each image, with their status, cost and uncertainty.

    The model is asked in evaluation mode, on its own device and in its own type of numbers. Nothing
    of it changes, nor does any random state, also where it stops with an error.

    Args:
        model: A ``torch.nn.Module``, or for explainers that need no layers any function.
        images: One image, a batch or a list, of any sizes: of NumPy, torch or Pillow, uint8 or
            floats in [0, 1]. Explainers see them so: a baseline of 0 is black.
        explainers: Names such as ``"lime, grad_cam"``, instances, or both; a mapping gives names of
            your own. ``cellxai.explain.catalogue.every_explainer`` has all names.
        target: The class to explain, by number or name, one for all images or one for each; None
            for the predicted one.
        classes: Names of the classes, in the order of the scores.
        output: Where the scores are, if the model answers with more: key, attribute or place.
        output_is: ``logits`` of classes that compete; ``labels``, logits that do not; or
            ``probabilities``. A single column is about class 1: of a logit z, class 1 is explained
            by z and class 0 by −z.
        mean: Taken from each plane before the model sees it, in units of [0, 1]; with ``std``.
        std: What each plane is divided by.
        bounds: Of images that are normalised already, and of a model that takes them so: the lowest
            and highest value, of all planes or of each.
        preprocess: Any other function of a batch in [0, 1], differentiable if gradients are asked.
        superpixels: What is hidden together; None for SLIC, of the mean plane where there are not 1
            or 3.
        baseline: What replaces hidden pixels; None for the blurred image.
        seeds: Of the explainers: with several, maps are their mean, and how far they agree is told.
        batch_size: Images per forward pass at most.
        names: Names of the images; None to number them.

    Raises:
        ValueError: If a name is unknown, images or model are no such thing, or do not fit; in one
            line that says what to do.
        TypeError: If an argument is of another kind.
    """
    chosen, seeds = explainers_by_name(explainers), check_seeds(seeds)
    subjects: dict[int, Subject] = {}
    entries: dict[tuple[int, str], Explanation] = {}
    # Tensors made in inference mode could not be differentiated through.
    with torch.inference_mode(False), torch.no_grad(), untouched(model), float32_products("exact"):
        reading = Reading(output, output_is, mean, std, bounds, preprocess)
        asked = read_question(model, reading, images, names, target, classes)
        read, pixels, wanted = asked.model, asked.images, asked.targets
        for places, batch, context in batches_of(pixels, superpixels, baseline, batch_size):
            known = None if wanted is None else [wanted[place] for place in places]
            targets, shares = choose_targets(read, batch, known)
            for row, place in enumerate(places):
                subjects[place] = Subject(
                    asked.names[place], pixels[place], int(targets[row]), shares[row],
                    wanted is None, context.of_image(row),
                )  # fmt: skip
            for name, explainer in chosen.items():
                by_seed = [
                    ask_each(explainer, read, batch, targets, context.with_seed(seed))
                    for seed in seeds
                ]
                for row, place in enumerate(places):
                    runs = tuple(answers[row] for answers in by_seed)
                    entries[place, name] = explanation_of(subjects[place], name, explainer, runs)
    order = [entries[place, name] for place in range(len(pixels)) for name in chosen]
    return Explanations(
        read, [subjects[place] for place in range(len(pixels))], chosen, order, seeds
    )


def explanation_of(
    subject: Subject, name: str, explainer: Explainer, runs: tuple[Attribution, ...]
) -> Explanation:
    """What an explainer says of an image, under all seeds."""
    return Explanation(subject, name, explainer.is_control, explainer.meaning, runs)


def batches_of(
    pixels: Sequence[Float[Tensor, "_c _h _w"]],
    superpixels: Superpixels | None,
    baseline: Baseline | None,
    batch_size: int,
) -> list[tuple[list[int], Float[Tensor, "b c h w"], LazyContext]]:
    """Images of one size together, in batches: their places, themselves, what explainers share.

    Raises:
        ValueError: If ``batch_size`` is none.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} takes no image; pass batch_size>=1")
    by_shape: dict[torch.Size, list[int]] = {}
    for place, image in enumerate(pixels):
        by_shape.setdefault(image.shape, []).append(place)
    batches = []
    for places in by_shape.values():
        cut = superpixels_for(superpixels, [pixels[place] for place in places])
        for start in range(0, len(places), batch_size):
            chosen = places[start : start + batch_size]
            batch = as_batch([pixels[place] for place in chosen])
            fill = baseline or BlurBaseline()
            batches.append((chosen, batch, lazy_context_of(batch, cut, fill, batch_size)))
    return batches


def as_batch(pixels: Sequence[Float[Tensor, "c h w"]]) -> Float[Tensor, "b c h w"]:
    """Images of one size; a single one is not copied again, which costs as much as other checks."""
    return pixels[0][None] if len(pixels) == 1 else torch.stack(list(pixels))


def superpixels_for(
    superpixels: Superpixels | None, pixels: Sequence[Float[Tensor, "_c _h _w"]]
) -> Superpixels:
    """What is asked for; else SLIC, of the mean plane where some image is neither grey nor RGB."""
    if superpixels is not None:
        return superpixels
    return Slic() if all(len(image) in (1, 3) for image in pixels) else OfMeanPlane(Slic())


def choose_targets(
    model: ReadModel, batch: Float[Tensor, "b c h w"], known: list[int] | None
) -> tuple[Tensor, list[float | None]]:
    """The class of each image that is explained, with its probability where it is predicted.

    Raises:
        ModelError: If a class has to be predicted and no score is a finite number.
    """
    if known is not None:  # no pass through the model: it costs as much as a gradient map
        return torch.tensor(known, device=batch.device), [None] * len(known)
    with torch.no_grad(), frozen(model):
        scores = model(batch.clone())
        shares = followed_by_curves(model.score or Logit(), scores)
    if not scores.isfinite().all(1).any():
        kind = "NaN" if scores.isnan().any() else "infinity"
        raise ModelError(
            f"the model answers {kind} to every image, so that no class is predicted; check its "
            "weights and mean, std or bounds"
        )
    targets = scores.argmax(1)
    return targets, shares.gather(1, targets[:, None])[:, 0].tolist()


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds, if there is any.

    Raises:
        ValueError: If there is none.
    """
    if not len(seeds):
        raise ValueError("seeds is empty; pass at least one, such as (0,)")
    return tuple(int(seed) for seed in seeds)


class OfMeanPlane(Superpixels):
    """Another method's superpixels of the mean of all planes, whatever these are.

    Args:
        superpixels: What cuts the mean plane.
    """

    def __init__(self, superpixels: Superpixels) -> None:
        self.superpixels = superpixels

    def segment(self, images: Float[Tensor, "b c h w"], instances: Tensor | None = None) -> Tensor:
        """See :meth:`Superpixels.segment`."""
        return self.superpixels.segment(images.mean(1, keepdim=True), instances)
