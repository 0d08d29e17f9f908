"""The pictures of ``density``: what was found, drawn by ``cellxai.figures.density``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cellxai.data.corruption import Corruption
from cellxai.data.pixels.corruptions import Graded
from cellxai.density.comparison import Row
from cellxai.density.fitted import sample
from cellxai.density.plane import plane_of
from cellxai.density.rounds import DENSITY
from cellxai.density.scores import ScoredSet
from cellxai.figures.density import (
    DetectorScore,
    PlaneMixture,
    ScoredImage,
    SeverityScore,
    SweepCurves,
    ThresholdReliability,
    draw_clusters,
    draw_detectors,
    draw_gap,
    draw_generated,
    draw_histogram,
    draw_projection,
    draw_scored_images,
    draw_selection,
    draw_severity,
    draw_threshold_reliability,
)
from cellxai.trained.image_sets import to_picture
from cellxai.verbs.density.results import Found
from gmm.selection import Sweep

N_EXTREMES = 6  # images of either end on the sheet
N_GENERATED = 20
CRITERIA = ("bic", "aic", "icl", "held_out")


def draw_all(folder: Path, found: Found, corruptions: Mapping[str, Corruption]) -> None:
    """Draws every picture for which there is something to show, and keeps none of earlier calls."""
    for earlier in folder.glob("*.png"):
        earlier.unlink()
    pipeline, scores = found.final.pipeline, found.log_densities
    cut = pipeline.threshold.threshold_nats
    draw_histogram(scores, cut, folder / "histogram.png", pipeline.settings.percent)
    draw_extremes(folder / "extremes.png", found.sets)
    draw_memory(folder / "gap.png", found, cut)
    draw_plane(folder / "projection.png", found)
    if len(pipeline.sweeps_) == 1 and len(pipeline.sweeps_[0].rows) > 1:
        draw_selection(curves(pipeline.sweeps_[0]), folder / "selection.png")
    if found.table:
        accent = [row.detector for row in found.table if DENSITY in row.detector]
        draw_detectors([bar(row) for row in found.table], folder / "detectors.png", accent)
        if graded := by_severity(found.table, corruptions):
            draw_severity(graded, folder / "severity.png", accent)
    if found.reliability:
        kinds = {
            "set on unseen images": measured(found, "measured"),
            "set on the images of the fit": measured(found, "naive"),
        }
        draw_threshold_reliability(kinds, folder / "reliability.png", pipeline.settings.percent)


def draw_extremes(path: Path, sets: Sequence[ScoredSet]) -> None:
    """The least and the most typical of what the mixture was not fitted to, known and other."""
    kinds = {
        "known images": [one for one in sets if one.role in ("calibrating", "judged")],
        "other images": [one for one in sets if one.role == "unfamiliar"],
    }
    groups: dict[str, list[ScoredImage]] = {}
    for kind, members in kinds.items():
        places = sorted(
            (float(score), number, place)
            for number, one in enumerate(members)
            for place, score in enumerate(one.log_density)
        )
        images = [tile(members[number], place) for _, number, place in places]
        groups[f"least typical {kind}"] = images[:N_EXTREMES]
        groups[f"most typical {kind}"] = images[N_EXTREMES:][-N_EXTREMES:][::-1]
    draw_scored_images(groups, path)


def tile(one: ScoredSet, place: int) -> ScoredImage:
    """An image of a sheet."""
    picture, name = to_picture(one.images.pictures[place]), one.images.records[place].id
    flagged = bool(one.flagged[place])
    return ScoredImage(picture, name, one.name, float(one.log_density[place]), flagged)


def draw_memory(path: Path, found: Found, cut: float) -> None:
    """Log densities of the images of the fit beside those of unseen ones."""
    by_role: dict[str, list[np.ndarray]] = {}
    for one in found.sets:
        if one.role != "unfamiliar":
            by_role.setdefault(one.role, []).append(one.log_density)
    shown = {name: np.concatenate(parts) for name, parts in by_role.items()}
    if len(shown) > 1:
        draw_gap(shown, cut, path)


def draw_plane(path: Path, found: Found) -> None:
    """Features in two dimensions over the mixture."""
    plane = plane_of(found.final.pipeline)
    mixture = PlaneMixture(*(part.numpy() for part in (
        plane.weights, plane.means, plane.covariances
    )))  # fmt: skip
    points = {
        name: np.concatenate([plane.points(one.images.features).numpy() for one in sets])
        for name, sets in found.by_set.items()
    }
    draw_projection(points, path, mixture if len(mixture.weights) else None)


def curves(found: Sweep) -> SweepCurves:
    """The mixtures that competed, by every criterion."""
    return SweepCurves(
        [row.n_components for row in found.rows],
        [row.covariance_type for row in found.rows],
        {name: np.array([getattr(row, name) for row in found.rows]) for name in CRITERIA},
        found.criterion,
        found.n_samples,
    )


def bar(row: Row) -> DetectorScore:
    """A detector's AUROC with its interval."""
    value = row.values["auroc"]
    return DetectorScore(row.detector, row.set, value, *(row.intervals["auroc"] or (value, value)))


def by_severity(table: Sequence[Row], corruptions: Mapping[str, Corruption]) -> list[SeverityScore]:
    """The rows of corruptions that are there at several severities, by the kind of corruption."""
    kinds = {
        name: type(one).__name__ for name, one in corruptions.items() if isinstance(one, Graded)
    }
    several = {kind for kind, n in Counter(kinds.values()).items() if n > 1}
    found = []
    for row in table:
        one = corruptions.get(row.set)
        if isinstance(one, Graded) and kinds[row.set] in several:
            score = bar(row)
            interval = score.auroc, score.low, score.high
            found.append(SeverityScore(row.detector, kinds[row.set], one.severity, *interval))
    return found


def measured(found: Found, name: str) -> ThresholdReliability:
    """What thresholds of a kind do to judged images, as columns."""
    before = "" if name == "measured" else f"{name}_"
    names = ("nominal_percent", f"{name}_share", f"{before}low", f"{before}high")
    columns = [np.array([float(row[key]) for row in found.reliability]) for key in names]
    columns[0] = columns[0] / 100
    return ThresholdReliability(*columns, n_images=int(found.reliability[0]["n"]))


def draw_pixel_model(folder: Path, found: Found, seed: int) -> None:
    """Of raw pixels: the images of each component, and images drawn from the mixture."""
    pipeline = found.final.pipeline
    fitted = [one for one in found.sets if one.role == "fitted"]
    pictures = [to_picture(picture) for one in fitted for picture in one.images.pictures]
    if len(pipeline.fitted_.mixtures) == 1:
        points = [pipeline.fitted_.projection.points(one.images.features) for one in fitted]
        labels = [pipeline.fitted_.mixtures[0].predict(part).numpy() for part in points]
        draw_clusters(pictures, np.concatenate(labels), folder / "clusters.png")
    drawn = sample(pipeline.fitted_, N_GENERATED, seed).numpy()
    known = np.concatenate([one.images.features.numpy() for one in fitted])
    nearest = [int(np.abs(known - one).mean(1).argmin()) for one in drawn]
    shape = fitted[0].images.pictures.shape[1:]
    faces = [np.clip(one.reshape(shape).transpose(1, 2, 0).squeeze(), 0, 1) for one in drawn]
    draw_generated(faces, folder / "generated.png", [pictures[place] for place in nearest])
