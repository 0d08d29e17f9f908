"""The pictures of ``density``: the findings, drawn by ``cellxai.figures.density``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cellxai.data.corruption import Corruption
from cellxai.data.pixels.corruptions import Graded
from cellxai.density.comparison import DetectorResult
from cellxai.density.fitting import sample_features
from cellxai.density.principal_plane import find_principal_plane
from cellxai.density.rounds import DENSITY
from cellxai.density.scored_sets import UNFAMILIAR, ScoredSet
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
from cellxai.verbs.density.findings import DensityFindings
from gmm.selection import Sweep

N_EXTREMES = 6  # images of either end on the sheet
N_GENERATED = 20
CRITERIA = ("bic", "aic", "icl", "held_out")


def draw_density(
    folder: Path, findings: DensityFindings, corruptions: Mapping[str, Corruption]
) -> None:
    """Draws every picture for which there is something to show, and keeps none of earlier calls."""
    for earlier in folder.glob("*.png"):
        earlier.unlink()
    pipeline, scores = findings.final.pipeline, findings.log_densities
    threshold, percent = pipeline.threshold.threshold_nats, pipeline.settings.percent
    draw_histogram(scores, threshold, folder / "histogram.png", percent)
    draw_extremes(folder / "extremes.png", findings.sets)
    draw_memory(folder / "gap.png", findings, threshold)
    draw_plane(folder / "projection.png", findings)
    if len(pipeline.sweeps_) == 1 and len(pipeline.sweeps_[0].rows) > 1:
        draw_selection(sweep_curves(pipeline.sweeps_[0]), folder / "selection.png")
    if findings.detector_results:
        draw_comparison(folder, findings.detector_results, corruptions)
    if findings.reliability:
        kinds = {
            "set on unseen images": reliability_columns(findings, "measured_share", ""),
            "set on the images of the fit": reliability_columns(findings, "naive_share", "naive_"),
        }
        draw_threshold_reliability(kinds, folder / "reliability.png", percent)


def draw_extremes(path: Path, sets: Sequence[ScoredSet]) -> None:
    """The least and the most typical images that the mixture was not fitted to."""
    kinds = {
        "known images": [scored for scored in sets if scored.role in ("calibrating", "judged")],
        "other images": [scored for scored in sets if scored.role == UNFAMILIAR],
    }
    groups: dict[str, list[ScoredImage]] = {}
    for kind, members in kinds.items():
        ranked = sorted(
            (float(score), number, row)
            for number, scored in enumerate(members)
            for row, score in enumerate(scored.log_density)
        )
        images = [tile_of_set(members[number], row) for _, number, row in ranked]
        groups[f"least typical {kind}"] = images[:N_EXTREMES]
        groups[f"most typical {kind}"] = images[N_EXTREMES:][-N_EXTREMES:][::-1]
    draw_scored_images(groups, path)


def tile_of_set(scored: ScoredSet, row: int) -> ScoredImage:
    """An image of a sheet."""
    picture, name = to_picture(scored.images.pictures[row]), scored.images.records[row].id
    flagged = bool(scored.flagged[row])
    return ScoredImage(picture, name, scored.name, float(scored.log_density[row]), flagged)


def draw_memory(path: Path, findings: DensityFindings, threshold_nats: float) -> None:
    """Log densities of the images of the fit beside those of unseen ones."""
    by_role: dict[str, list[np.ndarray]] = {}
    for scored in findings.sets:
        if scored.role != UNFAMILIAR:
            by_role.setdefault(scored.role, []).append(scored.log_density)
    shown = {name: np.concatenate(parts) for name, parts in by_role.items()}
    if len(shown) > 1:
        draw_gap(shown, threshold_nats, path)


def draw_plane(path: Path, findings: DensityFindings) -> None:
    """Features in two dimensions over the mixture."""
    plane = find_principal_plane(findings.final.pipeline)
    mixture = PlaneMixture(*(part.numpy() for part in (
        plane.weights, plane.means, plane.covariances
    )))  # fmt: skip
    points = {
        name: np.concatenate([plane.points(scored.images.features).numpy() for scored in sets])
        for name, sets in findings.sets_by_name.items()
    }
    draw_projection(points, path, mixture if len(mixture.weights) else None)


def sweep_curves(sweep: Sweep) -> SweepCurves:
    """The mixtures that competed, by every criterion."""
    return SweepCurves(
        [row.n_components for row in sweep.rows],
        [row.covariance_type for row in sweep.rows],
        {name: np.array([getattr(row, name) for row in sweep.rows]) for name in CRITERIA},
        sweep.criterion,
        sweep.n_samples,
    )


def draw_comparison(
    folder: Path, results: Sequence[DetectorResult], corruptions: Mapping[str, Corruption]
) -> None:
    """The detectors' AUROCs, and curves of them over the severity of corruptions."""
    accent = [result.detector for result in results if DENSITY in result.detector]
    draw_detectors([make_bar(result) for result in results], folder / "detectors.png", accent)
    if graded := severity_scores(results, corruptions):
        draw_severity(graded, folder / "severity.png", accent)


def make_bar(result: DetectorResult) -> DetectorScore:
    """A detector's AUROC with its interval."""
    value = result.values["auroc"]
    interval = result.intervals["auroc"] or (value, value)
    return DetectorScore(result.detector, result.set, value, *interval)


def severity_scores(
    results: Sequence[DetectorResult], corruptions: Mapping[str, Corruption]
) -> list[SeverityScore]:
    """The results of corruptions of several severities, by the kind of corruption."""
    kinds = {
        name: type(corruption).__name__
        for name, corruption in corruptions.items()
        if isinstance(corruption, Graded)
    }
    several = {kind for kind, count in Counter(kinds.values()).items() if count > 1}
    scores = []
    for result in results:
        corruption = corruptions.get(result.set)
        if isinstance(corruption, Graded) and (kind := kinds[result.set]) in several:
            bar = make_bar(result)
            interval = bar.auroc, bar.low, bar.high
            scores.append(SeverityScore(result.detector, kind, corruption.severity, *interval))
    return scores


def reliability_columns(findings: DensityFindings, share: str, prefix: str) -> ThresholdReliability:
    """What thresholds do to judged images, as columns.

    Args:
        findings: What was found.
        share: Column of the share that is flagged.
        prefix: What the columns of its interval begin with.
    """
    names = ("nominal_percent", share, f"{prefix}low", f"{prefix}high")
    columns = [np.array([float(row[name]) for row in findings.reliability]) for name in names]
    columns[0] = columns[0] / 100
    return ThresholdReliability(*columns, n_images=int(findings.reliability[0]["n"]))


def draw_pixel_model(folder: Path, findings: DensityFindings, seed: int) -> None:
    """For raw pixels: the images of each component, and images drawn from the mixture."""
    density = findings.final.pipeline.fitted_
    fitted = [scored.images for scored in findings.sets if scored.role == "fitted"]
    pictures = [to_picture(picture) for images in fitted for picture in images.pictures]
    if len(density.mixtures) == 1:
        points = [density.projection.points(images.features) for images in fitted]
        components = [density.mixtures[0].predict(part).numpy() for part in points]
        draw_clusters(pictures, np.concatenate(components), folder / "clusters.png")
    samples = sample_features(density, N_GENERATED, seed).numpy()
    known = np.concatenate([images.features.numpy() for images in fitted])
    nearest = [int(np.abs(known - sample).mean(1).argmin()) for sample in samples]
    shape = fitted[0].pictures.shape[1:]
    generated = [
        np.clip(sample.reshape(shape).transpose(1, 2, 0).squeeze(), 0, 1) for sample in samples
    ]
    draw_generated(generated, folder / "generated.png", [pictures[index] for index in nearest])
