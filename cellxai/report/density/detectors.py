"""Detectors of unfamiliar images beside the density, judged on every set of such images."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Picture
from cellxai.report.saved_files import attempt, embed_if_drawn, read_rows

ALT = "AUROC of every detector on every set of unfamiliar images, with 95 % intervals."
SEVERITY = "AUROC of the detectors against the severity of each corruption."


@dataclass(frozen=True)
class DetectorFigures:
    """One detector on one set; all of them shares in [0, 1].

    Args:
        auroc: Area under the ROC curve, unfamiliar being positive.
        auroc_interval: 95 % interval of it.
        fpr95: Share of known images flagged where 95 % of the unfamiliar ones are.
        fpr95_interval: 95 % interval of it.
        aupr_in: Average precision with the known images as positives.
        aupr_out: Average precision with the unfamiliar ones as positives.
    """

    auroc: float
    auroc_interval: tuple[float, float]
    fpr95: float
    fpr95_interval: tuple[float, float]
    aupr_in: float
    aupr_out: float


@dataclass(frozen=True)
class UnfamiliarSet:
    """A set of unfamiliar images.

    Args:
        name: Name of the set.
        n_in: Known images that it is compared with, at most over the detectors.
        n_out: How many images it has.
        best: The detectors of highest AUROC.
    """

    name: str
    n_in: int
    n_out: int
    best: tuple[str, ...]


@dataclass(frozen=True)
class Detectors:
    """What the template draws.

    Args:
        names: Names of the detectors, by mean AUROC over the sets, the best first.
        sets: The sets, in the order of the table.
        figures: Figures by detector and set.
        picture: AUROC by detector and set; ``None`` where it was not drawn.
        severity: AUROC by severity; ``None`` where it was not drawn.
    """

    names: tuple[str, ...]
    sets: tuple[UnfamiliarSet, ...]
    figures: Mapping[tuple[str, str], DetectorFigures]
    picture: Picture | None
    severity: Picture | None


def read_detectors(folder: RunFolder) -> tuple[Detectors | None, str]:
    """The rows of ``detectors.csv`` and why they cannot be shown; nothing in older results."""
    source = folder.density / "detectors.csv"
    return attempt(source, lambda: _read_detectors(folder, source))


def _read_detectors(folder: RunFolder, source: Path) -> Detectors:
    rows = read_rows(source)
    figures = {(row["detector"], row["set"]): _read_figures(row) for row in rows}
    names = {name: _mean_auroc(name, figures) for name, _ in figures}
    pictures = (
        embed_if_drawn(folder.root, folder.density / name, alt)
        for name, alt in (("detectors.png", ALT), ("severity.png", SEVERITY))
    )
    return Detectors(
        tuple(sorted(names, key=lambda name: -names[name])),
        tuple(_read_set(name, rows, figures) for name in dict.fromkeys(row["set"] for row in rows)),
        figures,
        *pictures,
    )


def _read_figures(row: Mapping[str, str]) -> DetectorFigures:
    auroc, fpr95 = (
        (float(row[name]), (float(row[f"{name}_low"]), float(row[f"{name}_high"])))
        for name in ("auroc", "fpr95")
    )
    return DetectorFigures(*auroc, *fpr95, float(row["aupr_in"]), float(row["aupr_out"]))


def _mean_auroc(name: str, figures: Mapping[tuple[str, str], DetectorFigures]) -> float:
    areas = [row.auroc for (detector, _), row in figures.items() if detector == name]
    known = [area for area in areas if isfinite(area)]
    return sum(known) / len(known) if known else -1.0


def _read_set(
    name: str, rows: list[dict[str, str]], figures: Mapping[tuple[str, str], DetectorFigures]
) -> UnfamiliarSet:
    mine = [row for row in rows if row["set"] == name]
    areas = {row["detector"]: round(figures[row["detector"], name].auroc, 3) for row in mine}
    highest = max((area for area in areas.values() if isfinite(area)), default=None)
    return UnfamiliarSet(
        name,
        max(int(row["n_in"]) for row in mine),
        max(int(row["n_out"]) for row in mine),
        tuple(detector for detector, area in areas.items() if area == highest),
    )
