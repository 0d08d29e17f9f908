"""Every detector on every set of strangers: areas and error rates with bootstrap intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from cellxai.density.known import Known
from cellxai.density.operating import FIGURES, figures
from cellxai.density.rounds import Round
from cellxai.density.strangers import Strangers, unfitted
from cellxai.evaluation.intervals import bootstrap, sampling_units, wilson
from gmm.anomaly import density_threshold

NOMINAL_PERCENTS = (1.0, 2.0, 4.0, 5.0, 10.0, 20.0, 30.0, 50.0)


@dataclass(frozen=True)
class Row:
    """A detector on a set, as the table says it.

    Args:
        detector: Its name.
        set: Name of the set of strangers.
        n_in: Known images.
        n_out: Strangers.
        values: The figures.
        intervals: 95 % of each; ``None`` where all resamples agree.
    """

    detector: str
    set: str
    n_in: int
    n_out: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float] | None]

    def cells(self) -> dict[str, Any]:
        """The row of ``detectors.csv``; an interval of no width where all resamples agree."""
        found: dict[str, Any] = {
            "detector": self.detector, "set": self.set, "n_in": self.n_in, "n_out": self.n_out
        }  # fmt: skip
        for name in FIGURES:
            value = self.values[name]
            found[name] = f"{value:.6f}"
            if name in ("auroc", "fpr95"):
                low, high = self.intervals[name] or (value, value)
                found |= {f"{name}_low": f"{low:.6f}", f"{name}_high": f"{high:.6f}"}
        return found


def compare(
    known: Known, rounds: Sequence[Round], strangers: Mapping[str, Strangers], seed: int
) -> list[Row]:
    """A row for each detector and set, over all rounds: means weighted by their known images.

    A stranger that is scored in several rounds counts once, shared among them. The bootstrap draws
    known images and strangers, in groups where they have these; an image that was corrupted and its
    corrupted twin are drawn together.
    """
    found: list[Row] = []
    seen = [
        one.confidences(known.features[unfitted(one)], logits_of(known, unfitted(one)))
        for one in rounds
    ]
    for name, one in strangers.items():
        units = units_of(known, one)
        unknown = [scored(one, each) for each in rounds]
        for detector in seen[0]:
            samples = [
                sample_of(known, each, one, detector, mine[detector], theirs[detector])
                for each, mine, theirs in zip(rounds, seen, unknown, strict=True)
            ]
            found.append(table_row(detector, name, samples, units, seed))
    return found


def logits_of(known: Known, places: Int[torch.Tensor, " m"]) -> torch.Tensor | None:
    """Logits of some known images, if there is a classifier."""
    return None if known.logits is None else known.logits[places]


def scored(strangers: Strangers, one: Round) -> dict[str, Float[np.ndarray, " m"]]:
    """Confidences of the strangers that are scored in a round."""
    chosen = strangers.images.rows(torch.from_numpy(strangers.rows(one)))
    return one.confidences(chosen.features, chosen.logits)


def units_of(known: Known, strangers: Strangers) -> Int[np.ndarray, " n"]:
    """What the bootstrap draws, for the known images and then the strangers."""
    own = sampling_units(known.records)
    if strangers.twins is not None:
        return np.r_[own, own[strangers.twins]]
    return np.r_[own, own.max() + 1 + sampling_units(strangers.images.records)]


@dataclass(frozen=True)
class Sample:
    """Confidences of one round.

    Args:
        confidence: Of known images and strangers.
        strange: Which are strangers.
        places: Of each in the units.
    """

    confidence: Float[np.ndarray, " n"]
    strange: np.ndarray
    places: Int[np.ndarray, " n"]


def sample_of(
    known: Known,
    one: Round,
    strangers: Strangers,
    detector: str,
    mine: Float[np.ndarray, " a"],
    theirs: Float[np.ndarray, " b"],
) -> Sample:
    """The known images of a round, which the detector has not learnt from, and its strangers."""
    places = unfitted(one).numpy()
    # The classifier learnt the training images' classes, so that what it says of them is no test.
    if detector in one.detectors and one.detectors[detector].needs_logits:
        untrained = np.array([known.parts[place] != "train" for place in places], dtype=bool)
        places, mine = places[untrained], mine[untrained]
    others = len(known.records) + strangers.rows(one)
    strange = np.r_[np.zeros(len(places), bool), np.ones(len(others), bool)]
    return Sample(np.r_[mine, theirs], strange, np.r_[places, others])


def table_row(
    detector: str, name: str, samples: Sequence[Sample], units: Int[np.ndarray, " n"], seed: int
) -> Row:
    """The figures of a detector over all rounds."""
    used = [one for one in samples if one.strange.any() and not one.strange.all()]
    if not used:
        raise ValueError(f"set {name!r}: no known image is left to compare it with")

    def statistics(weights: Float[np.ndarray, "r n"]) -> dict[str, Float[np.ndarray, " r"]]:
        return over_rounds(used, weights)

    values = statistics(np.ones((1, len(units))))
    every = np.unique(np.concatenate([one.places[~one.strange] for one in used]))
    others = np.unique(np.concatenate([one.places[one.strange] for one in used]))
    return Row(
        detector, name, len(every), len(others),
        {figure: float(value[0]) for figure, value in values.items()},
        bootstrap(statistics, units, seed=seed),
    )  # fmt: skip


def over_rounds(
    samples: Sequence[Sample], weights: Float[np.ndarray, "r n"]
) -> dict[str, Float[np.ndarray, " r"]]:
    """Means of the figures over the rounds, weighted by their known images."""
    totals = {name: np.zeros(len(weights)) for name in FIGURES}
    shares = np.zeros(len(weights))
    rounds_of = np.bincount(np.concatenate([one.places for one in samples]))
    for one in samples:
        drawn = weights[:, one.places] / rounds_of[one.places]
        found = figures(one.confidence, one.strange, drawn)
        share = np.where(np.isnan(found["auroc"]), 0.0, (drawn * ~one.strange).sum(1))
        shares += share
        for name in FIGURES:
            totals[name] += share * np.nan_to_num(found[name])
    return {
        name: np.divide(total, shares, out=np.full(len(shares), np.nan), where=shares > 0)
        for name, total in totals.items()
    }


def reliability(known: Known, rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """How many of the judged images each threshold flags: rows of ``reliability.csv``.

    ``naive_share`` is what a threshold on the densities of the fitted images would flag instead. No
    row where no image is judged, since every one fitted or set the threshold.
    """
    judged = [one for one in rounds if len(one.roles.judged)]
    percents = {*NOMINAL_PERCENTS, *(one.pipeline.settings.percent for one in judged)}
    rows = []
    for percent in sorted(percents) if judged else ():
        row: dict[str, Any] = {"nominal_percent": percent}
        for name, flags_of in (("measured", flags), ("naive", naive_flags)):
            found = np.concatenate(
                [flags_of(one, known.features[one.roles.judged], percent) for one in judged]
            )
            low, high = wilson(int(found.sum()), len(found)) or (np.nan, np.nan)
            before = "" if name == "measured" else f"{name}_"
            shares = {f"{name}_share": found.mean(), f"{before}low": low, f"{before}high": high}
            row |= {key: f"{share:.6f}" for key, share in shares.items()} | {"n": len(found)}
        rows.append(row)
    return rows


def flags(
    one: Round, features: Float[torch.Tensor, "n f"], percent: float
) -> Bool[np.ndarray, " n"]:
    """Which images a round's pipeline flags where it is set to flag so many known ones."""
    return one.pipeline.unfamiliar(features, percent)


def naive_flags(
    one: Round, features: Float[torch.Tensor, "n f"], percent: float
) -> Bool[np.ndarray, " n"]:
    """Likewise with a threshold on the densities of the images that the mixture was fitted to."""
    own = one.pipeline.fitted_.fit_log_density.numpy()
    return density_threshold(own, percent).flags(one.pipeline.score_samples(features).numpy())
