"""``density``: a mixture over a classifier's features says which images it does not know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from safetensors.numpy import save_file
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from cellxai.data.records import Fault, Source
from cellxai.figures.density import draw_extremes, draw_histogram
from cellxai.imagesets import ImageSet, other_sets, own_set
from cellxai.runfolder import atomic, write_csv, write_json
from cellxai.training.settings import Device
from cellxai.training.trained import TrainedRun, load_run
from gmm.anomaly import DensityThreshold, density_threshold
from gmm.persistence import save as save_mixture
from gmm.selection import Sweep, sweep

CovarianceType = Literal["full", "tied", "diag", "spherical"]
N_COMPONENTS = (1, 2, 3, 4, 5, 6)
COVARIANCE_TYPES: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical")
VARIANCE_SHARE = 0.95
PERCENT = 4.0  # of the held-out images below the threshold
N_EXTREMES = 12  # images on the sheet of the least typical


@dataclass(frozen=True)
class Density:
    """What ``density`` found.

    Args:
        folder: Where the mixture, the scores and the pictures lie.
        mixture: The chosen mixture in words.
        warnings: What makes the scores less trustworthy.
        threshold: In nats, and what it was set on.
        share_flagged: Share of each set below the threshold.
        faults: What could not be read of each other set and was left out.
    """

    folder: Path
    mixture: str
    warnings: tuple[str, ...]
    threshold: DensityThreshold
    share_flagged: dict[str, float]
    faults: dict[str, tuple[Fault, ...]]

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.share_flagged.items())
        found = f"{self.folder}: {self.mixture}; {self.threshold}; flagged: {shares}"
        left_out = [
            f"left out of {name}: {fault}"
            for name, faults in self.faults.items()
            for fault in faults
        ]
        return "\n".join([found, *(f"warning: {line}" for line in self.warnings), *left_out])


def density(
    run: Path,
    n_components: Sequence[int] = N_COMPONENTS,
    covariance_types: Sequence[CovarianceType] = COVARIANCE_TYPES,
    variance_share: float = VARIANCE_SHARE,
    percent: float = PERCENT,
    unfamiliar: dict[str, Source] | None = None,
    seed: int = 0,
    device: Device = "auto",
) -> Density:
    """Scores how well a trained classifier knows each image, and flags those it does not know.

    The mixture is fitted to PCA coordinates of the training images' penultimate features, its K and
    covariance type chosen by BIC. The threshold is a percentile of scores of held-out images: the
    training images' own scores are too good, since the network and the mixture were fitted to them.

    Args:
        run: The run folder of `cellxai fit`.
        n_components: Numbers of components to try.
        covariance_types: Covariance types to try.
        variance_share: PCA keeps the axes that explain this share of the variance.
        percent: Share of the held-out images below the threshold, in percent.
        unfamiliar: More data sets to score, by name, that the classifier should not know.
        seed: Of the mixture's starts.
        device: Where to compute the features; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If no image was held out, a share is outside its range, or an unfamiliar set is
            named like a part or has no readable image.
    """
    return density_of_run(
        load_run(run, device),
        n_components,
        covariance_types,
        variance_share,
        percent,
        unfamiliar,
        seed,
    )


def density_of_run(
    trained: TrainedRun,
    n_components: Sequence[int] = N_COMPONENTS,
    covariance_types: Sequence[CovarianceType] = COVARIANCE_TYPES,
    variance_share: float = VARIANCE_SHARE,
    percent: float = PERCENT,
    unfamiliar: Mapping[str, Source] | None = None,
    seed: int = 0,
) -> Density:
    """:func:`density` of a run that is read already."""
    if not 0 < variance_share < 1:
        raise ValueError(f"variance_share={variance_share}: expected a share between 0 and 1")
    calibration = calibration_part(trained)
    others = other_sets(trained, unfamiliar or {})
    sets = {part: own_set(trained, part) for part in trained.parts} | others
    projection = PCA(variance_share, svd_solver="full").fit(sets["train"].features)
    points = {name: projection.transform(found.features) for name, found in sets.items()}
    selection = sweep(points["train"], n_components, covariance_types, n_init=3, seed=seed)
    scores = {name: selection.winner.score_samples(rows) for name, rows in points.items()}
    threshold = density_threshold(scores[calibration], percent)
    found = Scored(trained, calibration, sets, scores, threshold, percent, selection, projection)
    write_results(trained.folder.density, found)
    return Density(
        trained.folder.density, in_words(selection, projection), found.warnings, threshold,
        {name: float(threshold.flags(values).mean()) for name, values in scores.items()},
        {name: found.faults for name, found in others.items()},
    )  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """Everything that one call of ``density`` computed, before it is written."""

    trained: TrainedRun
    calibration: str
    sets: dict[str, ImageSet]
    scores: dict[str, Float[np.ndarray, " _"]]
    threshold: DensityThreshold
    percent: float
    selection: Sweep
    projection: PCA

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the scores less trustworthy."""
        return (
            *few_samples(self.selection, self.projection),
            *few_held_out(len(self.scores[self.calibration]), self.percent),
        )


def calibration_part(trained: TrainedRun) -> str:
    """The part that sets the threshold: validation, else test.

    Raises:
        ValueError: If every image was trained on.
    """
    held_out = [part for part in trained.parts if part != "train"]
    if not held_out:
        raise ValueError(
            f"{trained.folder.root}: every image was trained on, so no threshold can be set; "
            "fit with --split.validation_share above 0"
        )
    return held_out[0]


def few_samples(selection: Sweep, projection: PCA) -> list[str]:
    """Says when the mixture has fewer images per component than dimensions: it then memorises."""
    n_components, n_dimensions = selection.best.n_components, projection.n_components_
    per_component = selection.n_samples / n_components
    if per_component >= n_dimensions:
        return []
    return [
        f"{per_component:.0f} training images per component in {n_dimensions} dimensions: the "
        "mixture memorises them; lower --variance_share or --n_components"
    ]


def few_held_out(n_held_out: int, percent: float) -> list[str]:
    """Says when the percentile lies below the first of the held-out scores."""
    if n_held_out * percent >= 100:
        return []
    return [
        f"{percent:g} % of {n_held_out} held-out images is less than one: the threshold rests on "
        f"the worst of them; hold out at least {100 / percent:.0f}"
    ]


def in_words(selection: Sweep, projection: PCA) -> str:
    """The chosen mixture as a sentence says it."""
    best = selection.best
    components = "component" if best.n_components == 1 else "components"
    return (
        f"{best.covariance_type} mixture of {best.n_components} {components} in "
        f"{projection.n_components_} dimensions"
    )


def write_results(folder: Path, found: Scored) -> None:
    """Writes the model, the tables and the pictures of a run's density."""
    folder.mkdir(parents=True, exist_ok=True)
    save_mixture(found.selection.winner, folder / "mixture.safetensors")
    with atomic(folder / "projection.safetensors") as temporary:
        mean, axes = found.projection.mean_, found.projection.components_
        save_file({"mean": mean, "axes": np.ascontiguousarray(axes)}, temporary)
    with atomic(folder / "selection.csv") as temporary:
        temporary.write_text(found.selection.csv(), encoding="utf-8")
    write_csv(folder / "scores.csv", score_rows(found))
    write_json(folder / "summary.json", summary(found))
    cut = found.threshold.threshold_nats
    draw_histogram(found.scores, cut, folder / "histogram.png", found.percent)
    draw_least_typical(found, folder / "extremes.png")


def score_rows(found: Scored) -> list[dict[str, Any]]:
    """One row per image: its set, its log density, and whether it is flagged."""
    return [
        {"id": record.id, "set": name, "label": record.label, "log_density": f"{score:.6f}",
         "unfamiliar": int(flagged)}
        for name, scores in found.scores.items()
        for record, score, flagged in zip(
            found.sets[name].records, scores, found.threshold.flags(scores), strict=True
        )
    ]  # fmt: skip


def summary(found: Scored) -> dict[str, Any]:
    """The figures of ``summary.json``."""
    best, threshold = found.selection.best, found.threshold
    return {
        "n_components": best.n_components,
        "covariance_type": best.covariance_type,
        "n_dimensions": int(found.projection.n_components_),
        "threshold_nats": threshold.threshold_nats,
        "percent": threshold.percent,
        "calibrated_on": found.calibration,
        "n_calibration": threshold.n_held_out,
        "sets": {
            name: {
                "n_images": len(scores),
                "share_flagged": float(threshold.flags(scores).mean()),
                "median": float(np.median(scores)),
            }
            for name, scores in found.scores.items()
        },
        "warnings": list(found.warnings),
        "faults": {name: [str(f) for f in one.faults] for name, one in found.sets.items()},
        "auroc": auroc(found),
    }


def auroc(found: Scored) -> dict[str, float]:
    """AUROC of each other set against the held-out images; unfamiliar is positive, score −log p."""
    known = np.concatenate([found.scores[part] for part in found.trained.parts if part != "train"])
    others = {name: s for name, s in found.scores.items() if name not in found.trained.parts}
    return {
        name: float(
            roc_auc_score(np.r_[np.zeros(len(known)), np.ones(len(scores))], -np.r_[known, scores])
        )
        for name, scores in others.items()
    }


def draw_least_typical(found: Scored, path: Path) -> None:
    """Draws the least typical images that were not trained on."""
    candidates = [
        (float(score), name, index)
        for name, scores in found.scores.items()
        if name != "train"
        for index, score in enumerate(scores)
    ]
    worst = sorted(candidates)[:N_EXTREMES]
    pictures, titles = [], []
    for score, name, index in worst:
        shown = found.sets[name]
        planes = shown.images.images(shown.part)[index].permute(1, 2, 0).numpy()
        pictures.append(planes.squeeze(-1) if planes.shape[-1] == 1 else planes)
        titles.append(f"{shown.records[index].id}\n{name}, {score:.1f} nats")
    draw_extremes(pictures, titles, path)
