"""The summary of ``density``: ``summary.json``, and what is printed at the end."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.records import Fault
from cellxai.data.splits import PARTS
from cellxai.density.comparison import DetectorResult
from cellxai.density.promises import Promise
from cellxai.density.rounds import DENSITY
from cellxai.density.scored_sets import OUT_OF_FOLD, ScoredSet
from cellxai.density.separation import DEFINITION
from cellxai.files.frame import Frame, read_frame
from cellxai.files.returned import Returned
from cellxai.intervals.definition import DEFINITION as INTERVALS
from cellxai.verbs.density.findings import DensityFindings
from cellxai.verbs.density.warnings import count_noun


@dataclass(frozen=True)
class DensitySummary(Returned):
    """What ``density`` found.

    Args:
        folder: Where the pipeline, the tables and the pictures lie.
        views: Names of the views.
        warnings: What makes the verdicts less trustworthy.
        promises: What the thresholds promise, one for each group of views that has its own.
        share_flagged: Share of each set that is unfamiliar.
        most_surprised: For each set of strangers the view that most of them surprise.
        detector_results: The density and the detectors beside it, on sets of strangers.
        faults: What could not be read of each other set and was left out.
    """

    pictures = "*.png"

    folder: Path
    views: tuple[str, ...]
    warnings: tuple[str, ...]
    promises: tuple[Promise, ...]
    share_flagged: dict[str, float]
    most_surprised: dict[str, str]
    detector_results: tuple[DetectorResult, ...]
    faults: dict[str, tuple[Fault, ...]]

    def to_frame(self) -> Frame:
        """A row per image and set: its p-values and verdict; a blank is None."""
        return read_frame(self.folder / "scores.csv", text=("id", "set", "label", "view"))

    def __str__(self) -> str:
        judged_in_turn = OUT_OF_FOLD in self.share_flagged  # then all parts were fitted to
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.share_flagged.items()
            if not judged_in_turn or name not in PARTS
        )
        return "\n".join(
            [
                f"{self.folder}: {count_noun(len(self.views), 'view')}; flagged: {shares}",
                *(str(promise) for promise in self.promises),
                *best_detector_lines(self.detector_results, self.most_surprised),
                *(f"warning: {line}" for line in self.warnings),
                *(
                    f"left out of {name}: {fault}"
                    for name, faults in self.faults.items()
                    for fault in faults
                ),
            ]
        )


def summarise_findings(
    folder: Path, findings: DensityFindings, warnings: tuple[str, ...]
) -> DensitySummary:
    """What is printed and returned at the end."""
    return DensitySummary(
        folder,
        tuple(findings.final.pipeline.views),
        warnings,
        findings.final.pipeline.calibration_.promises,
        findings.shares_flagged,
        {name: count_views(sets)[0][0] for name, sets in findings.sets_by_name.items()},
        tuple(findings.detector_results),
        dict(findings.faults),
    )


def count_views(sets: Sequence[ScoredSet]) -> list[tuple[str, int]]:
    """How many images surprise each view most, the most frequent view first."""
    return Counter(name for scored in sets for name in scored.most_surprised).most_common()


def summary_figures(findings: DensityFindings, warnings: Sequence[str]) -> dict[str, Any]:
    """The figures of ``summary.json``."""
    pipeline, results = findings.final.pipeline, findings.detector_results
    log_p, shares = findings.log_p, findings.shares_flagged
    return {
        "views": {
            name: {
                "kind": type(fitted.view).__name__,
                "density": type(fitted.view.density).__name__,
                "meaning": fitted.view.meaning,
                "remembered": fitted.remembered,
            }
            for name, fitted in pipeline.fitted_.items()
        },
        "percent": pipeline.settings.percent,
        "guarantee": pipeline.settings.guarantee,
        "promises": [promise_figures(promise) for promise in pipeline.calibration_.promises],
        "sets": {
            name: {
                "n_images": len(log_p[name]),
                "share_flagged": shares[name],
                "median": float(np.median(log_p[name])),
                "most_surprised": dict(count_views(sets)),
            }
            for name, sets in findings.sets_by_name.items()
        },
        "warnings": list(warnings),
        "faults": {
            name: [str(fault) for fault in faults] for name, faults in findings.faults.items()
        },
        "auroc": {
            result.set: result.values["auroc"] for result in results if result.detector == DENSITY
        },
        "detectors": [result.cells() for result in results],
        "reliability": list(findings.reliability),
        "definitions": {"detectors": DEFINITION, "intervals": INTERVALS},
    }


def promise_figures(promise: Promise) -> dict[str, Any]:
    """What a threshold promises, as JSON."""
    low, high = promise.interval
    return {
        "percent": promise.percent, "n_images": promise.n_images, "level": promise.level,
        "low": low, "high": high, "line": str(promise),
    }  # fmt: skip


def best_detector_lines(
    results: Sequence[DetectorResult], most_surprised: dict[str, str]
) -> list[str]:
    """A line for each set of strangers: AUROC of the density, its view, and the best detector."""
    lines = []
    for name in dict.fromkeys(result.set for result in results):
        of_set = [result for result in results if result.set == name]
        best = max(of_set, key=lambda result: result.values["auroc"])
        areas = [
            f"{result.detector} {result.values['auroc']:.3f}"
            for result in of_set
            if result.detector == DENSITY or result is best
        ]
        lines.append(f"{name}: AUROC {', '.join(areas)}; found by {most_surprised[name]}")
    return lines
