"""What ``density`` leaves in the run folder: a file of each density, tables, a summary.

``scores.csv`` has a row for each image and set: ``set`` is a part of the run, ``out of fold``, or
the name of a set of strangers; ``part`` is what the image was to the pipeline: ``fitted``,
``calibrating`` (set the threshold), ``judged`` (neither), ``unfamiliar``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cellxai.data.records import Fault
from cellxai.density.comparison import Row
from cellxai.density.operating import DEFINITION
from cellxai.density.pipeline import PIPELINE_FILE
from cellxai.density.place_rounds import FoundPlaces
from cellxai.density.places import PLACES_FILE
from cellxai.density.plane import Plane, plane_of
from cellxai.density.rounds import DENSITY, Round
from cellxai.density.scores import ScoredSet
from cellxai.evaluation.intervals import DEFINITION as INTERVALS
from cellxai.files.folder import atomic, write_csv, write_json
from gmm.selection import Sweep


@dataclass(frozen=True)
class Found:
    """Everything that one call of ``density`` computed, before it is written.

    Args:
        final: What is kept: the pipeline that new images are scored by.
        sets: Known images by part and role, then strangers.
        classes: Names of the classes.
        calibrated_on: What set the threshold, in words.
        table: Detectors on strangers.
        reliability: Rows of what thresholds do to images that neither fitted nor set them.
        warnings: What makes the scores less trustworthy.
        faults: What could not be read, by set.
        places: The density of places, where one is wanted.
    """

    final: Round
    sets: Sequence[ScoredSet]
    classes: tuple[str, ...]
    calibrated_on: str
    table: Sequence[Row]
    reliability: Sequence[Mapping[str, Any]]
    warnings: tuple[str, ...]
    faults: Mapping[str, tuple[Fault, ...]]
    places: FoundPlaces | None = None

    @property
    def by_set(self) -> dict[str, list[ScoredSet]]:
        """The sets of each name: of a part, its roles."""
        names = dict.fromkeys(one.name for one in self.sets)
        return {name: [one for one in self.sets if one.name == name] for name in names}

    @property
    def log_densities(self) -> dict[str, Float[np.ndarray, " _"]]:
        """Of each set, in nats."""
        return {
            name: np.concatenate([one.log_density for one in sets])
            for name, sets in self.by_set.items()
        }

    @property
    def shares_flagged(self) -> dict[str, float]:
        """Of each set."""
        return {
            name: float(np.concatenate([one.flagged for one in sets]).mean())
            for name, sets in self.by_set.items()
        }


def write_tables(folder: Path, found: Found) -> None:
    """Writes the densities, the tables and the summary."""
    pipeline = found.final.pipeline
    pipeline.save(folder / PIPELINE_FILE)
    if found.places is not None:
        found.places.density.save(folder / PLACES_FILE)
    else:  # of an earlier call
        (folder / PLACES_FILE).unlink(missing_ok=True)
    write_csv(folder / "scores.csv", every_row(found))
    write_text(folder / "selection.csv", selection_csv(pipeline.sweeps_, class_names(found)))
    plane = plane_of(pipeline)
    write_csv(folder / "projection.csv", projection_rows(plane, found.sets))
    optional = {"detectors.csv": [row.cells() for row in found.table],
                "reliability.csv": found.reliability,
                "contours.csv": plane.rows()}  # fmt: skip
    for name, rows in optional.items():
        if rows:
            write_csv(folder / name, rows)
        else:
            (folder / name).unlink(missing_ok=True)
    write_json(folder / "summary.json", summary(found))


def every_row(found: Found) -> list[dict[str, Any]]:
    """The rows of ``scores.csv``; a column that a set lacks is blank in it."""
    rows = [row for one in found.sets for row in one.rows(found.classes)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name, "") for name in names} for row in rows]


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def class_names(found: Found) -> list[str]:
    """The class of each mixture; a blank for one mixture of all."""
    classes = found.final.pipeline.fitted_.classes
    return [""] if classes is None else [found.classes[int(place)] for place in classes]


def selection_csv(sweeps: Sequence[Sweep], names: Sequence[str]) -> str:
    """The mixtures that competed, those of each class after one another."""
    lines = [(name, line) for name, one in zip(names, sweeps, strict=True)
             for line in one.csv().splitlines()[1:]]  # fmt: skip
    header = sweeps[0].csv().splitlines()[0]
    if len(sweeps) == 1:
        return "\n".join([header, *(line for _, line in lines)]) + "\n"
    return "\n".join([f"{header},class", *(f"{line},{name}" for name, line in lines)]) + "\n"


def projection_rows(plane: Plane, sets: Sequence[ScoredSet]) -> list[dict[str, Any]]:
    """Where each image of each set lies in the plane."""
    return [
        {"id": record.id, "set": one.name, "x": f"{x:.6g}", "y": f"{y:.6g}"}
        for one in sets
        for record, (x, y) in zip(
            one.images.records, plane.points(one.images.features).tolist(), strict=True
        )
    ]


def summary(found: Found) -> dict[str, Any]:
    """The figures of ``summary.json``."""
    pipeline = found.final.pipeline
    mixtures, calibration = pipeline.fitted_.mixtures, pipeline.calibration_
    densities = [row for row in found.table if row.detector == DENSITY]
    return {
        "n_components": mixtures[0].n_components,
        "covariance_type": mixtures[0].covariance_type,
        "n_mixtures": len(mixtures),
        "n_dimensions": pipeline.fitted_.projection.n_dimensions,
        "threshold_nats": calibration.finite_threshold_nats,
        "percent": calibration.percent,
        "verdict": pipeline.settings.verdict,
        "calibrated_on": found.calibrated_on,
        "n_calibration": len(calibration.log_density),
        "gap_nats": pipeline.gap_nats,
        "sets": {
            name: {
                "n_images": len(scores),
                "share_flagged": found.shares_flagged[name],
                "median": float(np.median(scores)),
            }
            for name, scores in found.log_densities.items()
        },
        "warnings": list(found.warnings),
        "faults": {name: [str(fault) for fault in faults] for name, faults in found.faults.items()},
        "auroc": {row.set: row.values["auroc"] for row in densities},
        "detectors": [row.cells() for row in found.table],
        "reliability": list(found.reliability),
        "places": None if found.places is None else found.places.summary(),
        "definitions": {"detectors": DEFINITION, "intervals": INTERVALS},
    }


def in_words(final: Round) -> str:
    """The chosen mixture as a sentence says it."""
    fitted = final.pipeline.fitted_
    kinds = [f"{one.covariance_type} mixture of {counted(one.n_components, 'component')}"
             for one in fitted.mixtures]  # fmt: skip
    told = kinds[0] if len(kinds) == 1 else f"{len(kinds)} mixtures, one a class"
    return f"{told} in {counted(fitted.projection.n_dimensions, 'dimension')}"


def counted(count: int, noun: str) -> str:
    """``1 component``, ``2 components``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def warnings_of(final: Round, n_judged: int) -> list[str]:
    """What makes a pipeline's scores less trustworthy, one line each."""
    fitted, calibration = final.pipeline.fitted_, final.pipeline.calibration_
    n_dimensions = fitted.projection.n_dimensions
    told = []
    if fitted.least_samples < n_dimensions:
        told.append(
            f"{fitted.least_samples:.0f} training images per component in "
            f"{counted(n_dimensions, 'dimension')}: the mixture memorises them; lower "
            "--pipeline.projection or --pipeline.n_components"
        )
    if calibration.threshold.unresolved is not None:
        told.append(f"{calibration.threshold.unresolved}, so no image is flagged for its density")
    if not n_judged:
        told.append(
            "no image is left that neither fitted the mixture nor set the threshold, so nothing "
            "says what the threshold does to new images; hold out a test part, or pass --folds"
        )
    return told
