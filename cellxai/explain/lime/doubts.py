"""What speaks against a LIME explanation, measured from its own samples."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.explain.lime.designs import Design
from cellxai.explain.lime.samples import Samples
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.lime.surrogate import is_constant
from cellxai.explain.status import Doubt, doubt_of_images

TOLERATED_DRIFT = 0.05  # of the scores' spread; with more, mixed precision is called degraded


def doubts_of(
    per_image: Sequence[Samples],
    scores: Float[Tensor, "b n t"],
    design: Design,
    stop: Stop | None,
) -> tuple[Doubt, ...]:
    """All doubts that samples and scores raise, none where there is nothing to doubt."""
    single = torch.tensor([samples.n_superpixels == 1 for samples in per_image])
    doubts = [
        *doubts_of_scores(scores),
        doubt_of_one_superpixel(single),
        _doubt_of_too_few(per_image, design) if stop is None else _doubt_of_rank(per_image, stop),
    ]
    return tuple(doubt for doubt in doubts if doubt is not None)


def doubts_of_scores(scores: Float[Tensor, "b n t"]) -> tuple[Doubt | None, Doubt | None]:
    """Whether some scores are not finite, and whether some never change."""
    unknown = ~scores.isfinite().all(1).all(1)
    constant = is_constant(scores).any(1) & ~unknown
    return (
        doubt_of_images(unknown, "the score is not a finite number", if_all="unsupported"),
        doubt_of_images(constant, "the score does not change"),
    )


def doubt_of_one_superpixel(single: Bool[Tensor, " b"]) -> Doubt | None:
    """Whether some images are one superpixel, so that their map is one value."""
    return doubt_of_images(single, "one superpixel cannot be ranked")


def doubt_of_few_samples(
    n_samples: int, n_superpixels: int, wanted: int, method: str = "LIME"
) -> Doubt | None:
    """Whether there are fewer samples than a method needs.

    Args:
        n_samples: Samples of an image.
        n_superpixels: Superpixels of the image.
        wanted: Samples that the method needs for each superpixel.
        method: What the reason calls the method.
    """
    if n_samples >= wanted * n_superpixels:
        return None
    few = f"{n_samples} samples for {n_superpixels} superpixels"
    return Doubt("degraded", f"{few}, {method} needs about {wanted} each")


def doubt_of_drift(
    mixed: Float[Tensor, "b m t"], exact: Float[Tensor, "b m t"], all_scores: Float[Tensor, "b n t"]
) -> Doubt:
    """How far mixed precision moves the scores, as a share of their standard deviation.

    Args:
        mixed: Some scores in mixed precision.
        exact: The same scores in full precision.
        all_scores: All scores in mixed precision: their spread is what a surrogate explains.
    """
    spread = all_scores.std(1, keepdim=True)
    drift = float(((mixed - exact).abs() / spread).nan_to_num(0, torch.inf).max())
    return Doubt(
        "ok" if drift <= TOLERATED_DRIFT else "degraded",
        f"bfloat16 moves the score by up to {drift:.1%} of its spread "
        f"({mixed.shape[1]} samples checked)",
    )


def _doubt_of_too_few(per_image: Sequence[Samples], design: Design) -> Doubt | None:
    """:func:`doubt_of_few_samples` for the image that has the fewest per superpixel."""
    fewest = min(per_image, key=lambda samples: samples.n_used / samples.n_superpixels)
    method = f"LIME with {type(design).__name__}"
    return doubt_of_few_samples(
        fewest.n_used, fewest.n_superpixels, design.samples_per_superpixel, method
    )


def _doubt_of_rank(per_image: Sequence[Samples], stop: Stop) -> Doubt | None:
    """Whether sampling ended before the ranking was as stable as asked for."""
    reached = [
        float(samples.stability.min()) for samples in per_image if samples.stability is not None
    ]
    if not reached or min(reached) >= stop.jaccard:
        return None
    most = max(samples.n_used for samples in per_image)
    return Doubt(
        "degraded",
        f"after {most} samples the top {stop.top_k} are stable to {min(reached):.2f}, "
        f"{stop.jaccard} was asked for; raise n_samples",
    )
