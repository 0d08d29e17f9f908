"""The summary of ``density``: ``summary.json``, and what is printed at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.records import Fault
from cellxai.data.splits import PARTS
from cellxai.density.comparison import DetectorResult
from cellxai.density.fitting import FittedDensity
from cellxai.density.place_rounds import JudgedPlaceDensity
from cellxai.density.rounds import BOTH, DENSITY
from cellxai.density.scored_sets import OUT_OF_FOLD
from cellxai.density.separation import DEFINITION
from cellxai.evaluation.intervals import DEFINITION as INTERVALS
from cellxai.verbs.density.findings import DensityFindings
from cellxai.verbs.density.warnings import count_noun
from gmm.anomaly import DensityThreshold


@dataclass(frozen=True)
class DensitySummary:
    """What ``density`` found.

    Args:
        folder: Where the pipeline, the tables and the pictures lie.
        mixture: Description of the chosen mixture.
        warnings: What makes the scores less trustworthy.
        threshold: The threshold in nats, and what it was set on.
        gap_nats: How much higher the images of the fit score than unseen ones, in the median.
        share_flagged: Share of each set that is unfamiliar.
        detector_results: Detectors on sets of strangers.
        faults: What could not be read of each other set and was left out.
        places: The density of places, where one is wanted.
    """

    folder: Path
    mixture: str
    warnings: tuple[str, ...]
    threshold: DensityThreshold
    gap_nats: float
    share_flagged: dict[str, float]
    detector_results: tuple[DetectorResult, ...]
    faults: dict[str, tuple[Fault, ...]]
    places: JudgedPlaceDensity | None = None

    def __str__(self) -> str:
        judged_in_turn = OUT_OF_FOLD in self.share_flagged  # then all parts were fitted to
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.share_flagged.items()
            if not judged_in_turn or name not in PARTS
        )
        return "\n".join(
            [
                f"{self.folder}: {self.mixture}; {self.threshold}; flagged: {shares}",
                f"images of the fit against unseen ones: {self.gap_nats:+.3g} nats in the median",
                *best_detector_lines(self.detector_results),
                *([] if self.places is None else [str(self.places)]),
                *(f"warning: {line}" for line in self.warnings),
                *(
                    f"left out of {name}: {fault}"
                    for name, faults in self.faults.items()
                    for fault in faults
                ),
            ]
        )


def summarise_findings(folder: Path, findings: DensityFindings) -> DensitySummary:
    """What is printed and returned at the end."""
    pipeline = findings.final.pipeline
    return DensitySummary(
        folder,
        describe_mixture(pipeline.fitted_),
        findings.warnings,
        pipeline.threshold,
        pipeline.gap_nats,
        findings.shares_flagged,
        tuple(findings.detector_results),
        dict(findings.faults),
        findings.places,
    )


def summary_figures(findings: DensityFindings) -> dict[str, Any]:
    """The figures of ``summary.json``."""
    pipeline, results = findings.final.pipeline, findings.detector_results
    mixtures, calibration = pipeline.fitted_.mixtures, pipeline.calibration_
    return {
        "n_components": mixtures[0].n_components,
        "covariance_type": mixtures[0].covariance_type,
        "n_mixtures": len(mixtures),
        "n_dimensions": pipeline.fitted_.projection.n_dimensions,
        "threshold_nats": calibration.finite_threshold_nats,
        "percent": calibration.percent,
        "verdict": pipeline.settings.verdict,
        "calibrated_on": findings.calibrated_on,
        "n_calibration": len(calibration.log_density),
        "gap_nats": pipeline.gap_nats,
        "sets": {
            name: {
                "n_images": len(scores),
                "share_flagged": findings.shares_flagged[name],
                "median": float(np.median(scores)),
            }
            for name, scores in findings.log_densities.items()
        },
        "warnings": list(findings.warnings),
        "faults": {
            name: [str(fault) for fault in faults] for name, faults in findings.faults.items()
        },
        "auroc": {
            result.set: result.values["auroc"] for result in results if result.detector == DENSITY
        },
        "detectors": [result.cells() for result in results],
        "reliability": list(findings.reliability),
        "places": None if findings.places is None else findings.places.summary(),
        "definitions": {"detectors": DEFINITION, "intervals": INTERVALS},
    }


def describe_mixture(fitted: FittedDensity) -> str:
    """The kind and size of the chosen mixture, such as ``full mixture of 2 components in …``."""
    kinds = [
        f"{mixture.covariance_type} mixture of {count_noun(mixture.n_components, 'component')}"
        for mixture in fitted.mixtures
    ]
    description = kinds[0] if len(kinds) == 1 else f"{len(kinds)} mixtures, one per class,"
    return f"{description} in {count_noun(fitted.projection.n_dimensions, 'dimension')}"


def best_detector_lines(results: Sequence[DetectorResult]) -> list[str]:
    """A line for each set of strangers: the AUROC of the density and of the best detector."""
    lines = []
    for name in dict.fromkeys(result.set for result in results):
        of_set = [result for result in results if result.set == name]
        best = max(of_set, key=lambda result: result.values["auroc"])
        ours = [
            result for result in of_set if result.detector in (DENSITY, BOTH) and result is not best
        ]
        areas = (f"{result.detector} {result.values['auroc']:.3f}" for result in (*ours, best))
        lines.append(f"{name}: AUROC {', '.join(areas)}")
    return lines
