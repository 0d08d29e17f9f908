"""What makes the verdicts of ``density`` less trustworthy, one line each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cellxai.data.splits import PARTS
from cellxai.density.comparison import DetectorResult
from cellxai.density.densities.mixture import FittedMixture
from cellxai.density.rounds import DENSITY, Round
from cellxai.density.scored_sets import ScoredSet
from cellxai.density.views import View
from cellxai.evaluation.units import sampling_units
from cellxai.intervals import grouped_share_interval
from cellxai.verbs.density.findings import DensityFindings

CHANCE = 0.5
WIDE = 2.0  # times the share asked for: a promise that may be broken so far is said to be weak


def find_warnings(
    findings: DensityFindings, left_out_class: str | None, earlier: Mapping[str, Any]
) -> tuple[str, ...]:
    """All warnings of a call.

    Args:
        findings: What it found.
        left_out_class: The class that is left out, if any.
        earlier: The summary of the call before; empty without one.
    """
    return (
        *promise_warnings(findings.final),
        *kept_warnings(findings.reliability, findings.final.pipeline.settings.percent),
        *view_warnings(findings.final),
        *training_warnings(findings.sets, findings.final),
        *separation_warnings(findings.detector_results),
        *head_warnings(findings.unseen, findings.final.pipeline.views),
        *class_warnings(findings.unseen, left_out_class),
        *dropped_warnings(findings, earlier),
    )


def head_warnings(unseen: bool, views: Mapping[str, View]) -> Iterable[str]:
    """Of views of a head that was trained on images which pass for unseen."""
    for name, view in views.items():
        if unseen and view.of_head:
            yield (
                f"view {name!r} looks at the last layer, which was trained on the training images "
                "and on every class, whereas all other views are taken for untrained; leave it out"
            )


def promise_warnings(final: Round) -> Iterable[str]:
    """Of a promise that so few images cannot keep."""
    for promise in final.pipeline.calibration_.promises:
        if not promise.rank or promise.interval[1] > WIDE * promise.percent / 100:
            yield str(promise)


def kept_warnings(reliability: Sequence[Mapping[str, Any]], asked: float) -> Iterable[str]:
    """Of a promise that was broken on images that had no say, or that none could test."""
    if not reliability:
        yield (
            "no image is left that had no say, so nothing shows what the threshold does to new "
            "images; hold out a test part, or pass --folds"
        )
    for row in reliability:
        if row["nominal_percent"] == asked and float(row["low"]) > asked / 100:
            yield (
                f"{float(row['measured_share']):.1%} of {row['n']} known images that had no say "
                f"are flagged (95 % interval {float(row['low']):.1%} to {float(row['high']):.1%}), "
                f"where {asked:g} % were asked for: they differ from those of the fit"
            )


def view_warnings(final: Round) -> Iterable[str]:
    """Of views whose network remembers images, that have no say, or whose mixture memorises."""
    pipeline = final.pipeline
    names = list(pipeline.fitted_)
    remembered = [name for name, fitted in pipeline.fitted_.items() if fitted.remembered]
    if remembered:
        yield (
            f"the network remembers its training images in {', '.join(remembered)}: what is usual "
            "there is set by held-out images alone"
        )
    heard = {place for panel in pipeline.calibration_.heard for place in panel.views}
    if silent := [name for place, name in enumerate(names) if place not in heard]:
        yield f"too few images were held out for {', '.join(silent)} to have a say"
    for name, fitted in pipeline.fitted_.items():
        if isinstance(fitted.density, FittedMixture):
            yield from mixture_warnings(name, fitted.density)


def mixture_warnings(name: str, fitted: FittedMixture) -> Iterable[str]:
    """Of a mixture of one axis, or of too few images."""
    n_dimensions = fitted.projection.n_dimensions
    if n_dimensions == 1:
        yield (
            f"view {name!r}: the projection keeps one axis, to all others the mixture is blind; "
            "standardise, or keep a larger share"
        )
    if fitted.least_samples < n_dimensions:
        yield (
            f"view {name!r}: {fitted.least_samples:.0f} images per component in "
            f"{count_noun(n_dimensions, 'dimension')}: the mixture memorises them; lower its "
            "projection or n_components"
        )


def training_warnings(sets: Sequence[ScoredSet], final: Round) -> Iterable[str]:
    """Of images of the fit that are flagged more often than was asked for."""
    asked = final.pipeline.settings.percent
    for scored in sets:
        n_flagged, n = int(scored.flagged.sum()), len(scored.flagged)
        interval = grouped_share_interval(scored.flagged, sampling_units(scored.images.records))
        if scored.role == "fitted" and interval and interval[0] > asked / 100:
            yield (
                f"{n_flagged} of {n} {scored.name} images are flagged themselves, more than "
                f"{asked:g} %: look at them, some may not belong"
            )


def separation_warnings(results: Sequence[DetectorResult]) -> Iterable[str]:
    """Of strangers that seem as known as known images, or that another detector finds better."""
    for ours in (result for result in results if result.detector == DENSITY):
        area, (low, high) = ours.values["auroc"], ours.interval("auroc")
        if low <= CHANCE:
            yield f"{ours.set}: AUROC {area:.3f} ({low:.3f} to {high:.3f}), not above chance"
        others = [result for result in results if result.set == ours.set]
        best = max(others, key=lambda result: result.values["auroc"])
        if best.interval("auroc")[0] > high:
            yield (
                f"{ours.set}: {best.detector} separates them better, with an AUROC of "
                f"{best.values['auroc']:.3f} against {area:.3f}"
            )


def class_warnings(unseen: bool, left_out_class: str | None) -> Iterable[str]:
    """The warning that a class which is left out is not a class that nobody knew."""
    if left_out_class is not None and not unseen:
        yield (
            f"the network was trained to tell {left_out_class!r} from the others, and its features "
            "know that class; for one that nothing knows, fit without it and name its images by "
            "--unfamiliar, or train the head alone"
        )


def dropped_warnings(findings: DensityFindings, earlier: Mapping[str, Any]) -> Iterable[str]:
    """Of strangers and detectors of the call before that this one did not ask for."""
    sets = set(findings.shares_flagged) | {*PARTS, "out of fold"}
    gone = [name for name in earlier.get("sets", {}) if name not in sets]
    if gone:
        yield f"the call before also scored {', '.join(gone)}: no longer here; name them again"
    if not findings.detector_results:
        return
    present = {result.detector for result in findings.detector_results}
    before = dict.fromkeys(row["detector"] for row in earlier.get("detectors", ()))
    if absent := [name for name in before if name not in present]:
        yield f"the call before also compared {', '.join(absent)}: no longer here; name them again"


def count_noun(count: int, noun: str) -> str:
    """A count with its noun: ``1 component``, ``2 components``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
