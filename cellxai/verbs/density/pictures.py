"""The pictures of ``density``: the findings, drawn by ``cellxai.figures.density``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cellxai.data.corruption import Corruption
from cellxai.data.pixels.corruptions import Graded
from cellxai.density.comparison import DetectorResult
from cellxai.density.densities.mixture import FittedMixture, sample_rows
from cellxai.density.p_values import joint_log_p, log_p_within
from cellxai.density.projection import fit_projection
from cellxai.density.rounds import DENSITY
from cellxai.density.scored_sets import UNFAMILIAR, ScoredSet
from cellxai.density.verdicts import join_verdicts
from cellxai.density.views import Pixels
from cellxai.figures.density import (
    DetectorScore,
    ScoredImage,
    SetOfViews,
    SeverityScore,
    SweepCurves,
    ThresholdReliability,
    draw_clusters,
    draw_detectors,
    draw_generated,
    draw_histogram,
    draw_projection,
    draw_scored_images,
    draw_selection,
    draw_severity,
    draw_threshold_reliability,
    draw_views,
)
from cellxai.figures.planes import as_rgb
from cellxai.trained.image_sets import ImageSet, to_picture
from cellxai.verbs.density.findings import DensityFindings
from cellxai.verbs.density.tables import sweeps_of
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
    pipeline = findings.final.pipeline
    percent = pipeline.settings.percent
    draw_histogram(
        findings.log_p, findings.flagged, find_threshold(findings), folder / "histogram.png",
        percent,
    )  # fmt: skip
    sets = [compare_views(name, members) for name, members in findings.sets_by_name.items()]
    draw_views(sets, list(pipeline.views), folder / "views.png", percent)
    draw_extremes(folder / "extremes.png", findings.sets)
    draw_plane(folder / "projection.png", findings)
    for of_view in sweeps_of(findings.final).values():
        if len(of_view) == 1 and len(of_view[0].rows) > 1:
            draw_selection(sweep_curves(of_view[0]), folder / "selection.png")
    if findings.detector_results:
        draw_comparison(folder, findings.detector_results, corruptions)
    if findings.reliability:
        columns = reliability_columns(findings, "measured_share", "")
        draw_threshold_reliability(
            {"images that had no say": columns}, folder / "reliability.png", percent
        )


def find_threshold(findings: DensityFindings) -> float:
    """The log p-value of the most surprised views below which images are flagged.

    Where two groups of views have thresholds of their own, that of the larger one; -inf where
    nothing is flagged.
    """
    calibration = findings.final.pipeline.calibration_
    promise, panel = calibration.promises[0], calibration.heard[0]
    if not promise.rank:
        return float("-inf")
    joint = joint_log_p(log_p_within(panel.surprises)).sort().values
    return float(joint[promise.rank - 1])


def compare_views(name: str, members: Sequence[ScoredSet]) -> SetOfViews:
    """A set of images as every view sees it."""
    verdicts = join_verdicts([scored.verdicts for scored in members])
    return SetOfViews(name, verdicts.log_p.exp().numpy(), verdicts.flagged.numpy())


def draw_extremes(path: Path, sets: Sequence[ScoredSet]) -> None:
    """The least and the most typical images that the mixture was not fitted to."""
    kinds = {
        "known images": [scored for scored in sets if scored.role != UNFAMILIAR],
        "other images": [scored for scored in sets if scored.role == UNFAMILIAR],
    }
    groups: dict[str, list[ScoredImage]] = {}
    for kind, members in kinds.items():
        ranked = sorted(
            (float(score), number, row)
            for number, scored in enumerate(members)
            for row, score in enumerate(scored.log_p)
        )
        images = [tile_of_set(members[number], row) for _, number, row in ranked]
        groups[f"least typical {kind}"] = images[:N_EXTREMES]
        groups[f"most typical {kind}"] = images[N_EXTREMES:][-N_EXTREMES:][::-1]
    draw_scored_images(groups, path)


def tile_of_set(scored: ScoredSet, row: int) -> ScoredImage:
    """An image of a sheet."""
    picture, name = scored.images.pictures[row], scored.images.records[row].id
    shown = to_picture(picture, scored.images.plane_names)
    flagged = bool(scored.flagged[row])
    return ScoredImage(shown, name, scored.name, float(scored.log_p[row]), flagged)


def draw_plane(path: Path, findings: DensityFindings) -> None:
    """Penultimate features, or pixels, along the two principal axes of the known images."""
    known = [scored for scored in findings.sets if scored.role != UNFAMILIAR]
    features = torch.cat([scored.images.features for scored in known])
    projection = fit_projection(features, standardise=False, kept=min(2, *features.shape))
    points = {
        name: pad_plane(
            torch.cat([projection.points(scored.images.features) for scored in sets])
        ).numpy()
        for name, sets in findings.sets_by_name.items()
    }
    draw_projection(points, path, None)


def pad_plane(points: Tensor) -> Tensor:
    """Two coordinates of points that may have one."""
    return torch.nn.functional.pad(points, (0, 2 - points.shape[1]))


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
    return DetectorScore(result.detector, result.set, value, *result.interval("auroc"))


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
    """Where a view of whole raw pixels has a mixture: the images of its components, and new ones.

    Args:
        folder: Where the pictures go.
        findings: What was found.
        seed: Seed of the images that are drawn.
    """
    known = [scored.images for scored in findings.sets if scored.role == "fitted"]
    for name, fitted in findings.final.pipeline.fitted_.items():
        is_whole = isinstance(fitted.view, Pixels) and fitted.view.side is None
        if is_whole and isinstance(fitted.density, FittedMixture):
            draw_mixture_of_pixels(folder, fitted.density, known, name, seed)


def draw_mixture_of_pixels(
    folder: Path, density: FittedMixture, known: Sequence[ImageSet], view: str, seed: int
) -> None:
    """The images of each component of a mixture of pixels, and images drawn from it."""
    pictures = [
        to_picture(picture, images.plane_names) for images in known for picture in images.pictures
    ]
    seen = [images.rows.of(torch.arange(len(images.rows)))[view] for images in known]
    rows = torch.cat(seen).double()
    if len(density.mixtures) == 1:
        components = density.mixtures[0].predict(density.projection.points(rows))
        draw_clusters(pictures, components.numpy(), folder / "clusters.png")
    samples = sample_rows(density, N_GENERATED, seed).numpy()
    nearest = [int(np.abs(rows.numpy() - sample).mean(1).argmin()) for sample in samples]
    shape = known[0].pictures.shape[1:]
    drawn = [np.clip(sample.reshape(shape).transpose(1, 2, 0), 0, 1) for sample in samples]
    generated = [
        sample[..., 0] if shape[0] == 1 else as_rgb(sample, known[0].plane_names)
        for sample in drawn
    ]
    draw_generated(generated, folder / "generated.png", [pictures[index] for index in nearest])
