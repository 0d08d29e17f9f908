"""Every detector on every set of strangers: areas and error rates with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from cellxai.density.known_images import KnownImages
from cellxai.density.rounds import DENSITY, Round
from cellxai.density.separation import MEASURES, measure_separation
from cellxai.density.strangers import Strangers
from cellxai.evaluation.units import sampling_units
from cellxai.intervals.level import Interval
from cellxai.intervals.resampling import resampled_intervals

WITH_INTERVAL = ("auroc", "fpr95")  # measures whose intervals are columns of the table


@dataclass(frozen=True)
class DetectorResult:
    """How well a detector separates a set of strangers from known images.

    Args:
        detector: Name of the detector.
        set: Name of the set of strangers.
        n_in: Number of known images.
        n_out: Number of strangers.
        values: The measures by name.
        intervals: 95 % interval of each measure; ``None`` where too few images define it.
    """

    detector: str
    set: str
    n_in: int
    n_out: int
    values: Mapping[str, float]
    intervals: Mapping[str, Interval | None]

    def interval(self, name: str) -> Interval:
        """The interval of a measure; NaN where there is none."""
        return self.intervals[name] or (np.nan, np.nan)

    def cells(self) -> dict[str, Any]:
        """The row of ``detectors.csv``."""
        cells: dict[str, Any] = {
            "detector": self.detector, "set": self.set, "n_in": self.n_in, "n_out": self.n_out
        }  # fmt: skip
        for name in MEASURES:
            value = self.values[name]
            cells[name] = f"{value:.6f}"
            if name in WITH_INTERVAL:
                low, high = self.interval(name)
                cells |= {f"{name}_low": f"{low:.6f}", f"{name}_high": f"{high:.6f}"}
        return cells


@dataclass(frozen=True)
class RoundConfidences:
    """Confidences of one detector in one round.

    Args:
        confidence: Confidences of known images and strangers.
        strange: Whether each image is a stranger.
        unit_rows: Row of each image in the units that are resampled.
    """

    confidence: Float[np.ndarray, " n"]
    strange: Bool[np.ndarray, " n"]
    unit_rows: Int[np.ndarray, " n"]


def compare(
    known: KnownImages, rounds: Sequence[Round], strangers: Mapping[str, Strangers], seed: int
) -> list[DetectorResult]:
    """A result for each detector and set, over all rounds: means weighted by their known images.

    A stranger that is scored in several rounds counts once, shared among them. Resamples draw
    known images and strangers, in groups where they have these; an image that was corrupted and its
    corrupted twin are drawn together.
    """
    results: list[DetectorResult] = []
    of_known = [confidences_of_known(known, fitted) for fitted in rounds]
    for name, images in strangers.items():
        units = units_of_both(known, images)
        of_strangers = [confidences_of_strangers(images, fitted) for fitted in rounds]
        for detector in of_known[0]:
            confidences = [
                join_confidences(known, fitted, images, detector, own[detector], other[detector])
                for fitted, own, other in zip(rounds, of_known, of_strangers, strict=True)
            ]
            results.append(summarise_detector(detector, name, confidences, units, seed))
    return results


def confidences_of_known(known: KnownImages, fitted: Round) -> dict[str, Float[np.ndarray, " m"]]:
    """Confidences of the known images that strangers are compared with, the density's first."""
    compared = fitted.roles.compared
    evidence = fitted.judge_known(known, compared).evidence.numpy()
    return {DENSITY: evidence} | fitted.confidences(known.every.some(compared))


def confidences_of_strangers(
    strangers: Strangers, fitted: Round
) -> dict[str, Float[np.ndarray, " m"]]:
    """Confidences of the strangers that are scored in a round, the density's first."""
    rows = torch.from_numpy(strangers.rows_scored_in(fitted.roles))
    images = strangers.images.some(rows)
    if strangers.twins is None:
        verdicts = fitted.pipeline.judge(images.rows)
    else:
        verdicts = fitted.judge_twins(images, torch.from_numpy(strangers.twins)[rows])
    return {DENSITY: verdicts.evidence.numpy()} | fitted.confidences(images)


def units_of_both(known: KnownImages, strangers: Strangers) -> Int[np.ndarray, " n"]:
    """What is resampled, for the known images and then the strangers."""
    own = sampling_units(known.records)
    if strangers.twins is not None:
        return np.r_[own, own[strangers.twins]]
    return np.r_[own, own.max() + 1 + sampling_units(strangers.images.records)]


def join_confidences(
    known: KnownImages,
    fitted: Round,
    strangers: Strangers,
    detector: str,
    of_known: Float[np.ndarray, " a"],
    of_strangers: Float[np.ndarray, " b"],
) -> RoundConfidences:
    """The known images of a round, which the detector has not learned from, and its strangers."""
    indices = fitted.roles.compared.numpy()
    # The classifier learned the classes of training images, so its logits for them prove nothing.
    if detector in fitted.detectors and fitted.detectors[detector].needs_logits:
        untrained = np.array([known.parts[index] != "train" for index in indices], dtype=bool)
        indices, of_known = indices[untrained], of_known[untrained]
    stranger_rows = len(known.records) + strangers.rows_scored_in(fitted.roles)
    strange = np.r_[np.zeros(len(indices), bool), np.ones(len(stranger_rows), bool)]
    confidence = np.r_[of_known, of_strangers]
    return RoundConfidences(confidence, strange, np.r_[indices, stranger_rows])


def summarise_detector(
    detector: str,
    set_name: str,
    rounds: Sequence[RoundConfidences],
    units: Int[np.ndarray, " n"],
    seed: int,
) -> DetectorResult:
    """The measures of a detector over all rounds.

    Raises:
        ValueError: If no round has both a known image and a stranger.
    """
    used = [scores for scores in rounds if scores.strange.any() and not scores.strange.all()]
    if not used:
        raise ValueError(f"set {set_name!r}: no known image is left to compare it with")

    def statistics(weights: Float[np.ndarray, "r n"]) -> dict[str, Float[np.ndarray, " r"]]:
        return average_over_rounds(used, weights)

    values = statistics(np.ones((1, len(units))))
    of_known, of_strangers = (
        np.unique(np.concatenate([s.unit_rows[s.strange == strange] for s in used]))
        for strange in (False, True)
    )
    n_surest = min(len(np.unique(units[rows])) for rows in (of_known, of_strangers))
    return DetectorResult(
        detector, set_name, len(of_known), len(of_strangers),
        {name: float(value[0]) for name, value in values.items()},
        resampled_intervals(statistics, units, n_surest, seed),
    )  # fmt: skip


def average_over_rounds(
    rounds: Sequence[RoundConfidences], weights: Float[np.ndarray, "r n"]
) -> dict[str, Float[np.ndarray, " r"]]:
    """Means of the measures over the rounds, weighted by their known images."""
    totals = {name: np.zeros(len(weights)) for name in MEASURES}
    shares = np.zeros(len(weights))
    rounds_per_row = np.bincount(np.concatenate([scores.unit_rows for scores in rounds]))
    for scores in rounds:
        drawn = weights[:, scores.unit_rows] / rounds_per_row[scores.unit_rows]
        measures = measure_separation(scores.confidence, scores.strange, drawn)
        n_known = (drawn * ~scores.strange).sum(1)
        share = np.where(np.isnan(measures["auroc"]), 0.0, n_known)
        shares += share
        for name in MEASURES:
            totals[name] += share * np.nan_to_num(measures[name])
    return {
        name: np.divide(total, shares, out=np.full(len(shares), np.nan), where=shares > 0)
        for name, total in totals.items()
    }
