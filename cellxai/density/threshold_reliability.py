"""Whether a threshold flags as many new images as was asked for: rows of ``reliability.csv``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.density.known_images import KnownImages
from cellxai.density.rounds import Round
from cellxai.evaluation.intervals import wilson
from gmm.anomaly import density_threshold

NOMINAL_PERCENTS = (1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 30.0, 50.0)
Flagging = Callable[[Round, Float[Tensor, "_ f"], float], Bool[np.ndarray, " _"]]


def measure_reliability(known: KnownImages, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """How many of the judged images each threshold flags: rows of ``reliability.csv``.

    ``naive_share`` is what a threshold on the densities of the fitted images would flag instead.
    There are no rows where no image is judged, because every one fitted or set the threshold.
    """
    judging = [fitted for fitted in rounds if len(fitted.roles.judged)]
    percents = {*NOMINAL_PERCENTS, *(fitted.pipeline.settings.percent for fitted in judging)}
    return [
        {"nominal_percent": percent}
        | measure_share(known, judging, percent, flag, "measured_share", "")
        | measure_share(known, judging, percent, flag_naively, "naive_share", "naive_")
        for percent in (sorted(percents) if judging else ())
    ]


def measure_share(
    known: KnownImages,
    rounds: Sequence[Round],
    percent: float,
    flagging: Flagging,
    name: str,
    prefix: str,
) -> dict[str, Any]:
    """The share of judged images that are flagged, with its 95 % interval, as cells of a row.

    Args:
        known: The known images.
        rounds: The rounds that judge an image.
        percent: The share that the threshold is meant to flag, in percent.
        flagging: Which images of a round are flagged.
        name: Column of the share.
        prefix: What the columns of the interval begin with.
    """
    flagged = np.concatenate(
        [flagging(fitted, known.features[fitted.roles.judged], percent) for fitted in rounds]
    )
    low, high = wilson(int(flagged.sum()), len(flagged)) or (np.nan, np.nan)
    shares = {name: flagged.mean(), f"{prefix}low": low, f"{prefix}high": high}
    return {key: f"{share:.6f}" for key, share in shares.items()} | {"n": len(flagged)}


def flag(fitted: Round, features: Float[Tensor, "n f"], percent: float) -> Bool[np.ndarray, " n"]:
    """Which images a round's pipeline flags where it is set to flag so many known ones."""
    return fitted.pipeline.unfamiliar(features, percent)


def flag_naively(
    fitted: Round, features: Float[Tensor, "n f"], percent: float
) -> Bool[np.ndarray, " n"]:
    """Which images a threshold on the densities of the fitted images would flag."""
    threshold = density_threshold(fitted.pipeline.fitted_.fit_log_density.numpy(), percent)
    return threshold.flags(fitted.pipeline.score_samples(features).numpy())
