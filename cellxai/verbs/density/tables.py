"""The tables of ``density`` in the run folder, one ``.csv`` file each.

``scores.csv`` has a row for each image and set: ``set`` is a part of the run, ``out of fold``, or
the name of a set of strangers; ``part`` is what the image was to the pipeline: ``fitted``,
``calibrating`` (set the threshold), ``judged`` (neither), ``unfamiliar``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cellxai.density.principal_plane import PrincipalPlane, find_principal_plane
from cellxai.density.scored_sets import ScoredSet
from cellxai.files.folder import atomic, write_csv
from cellxai.verbs.density.findings import DensityFindings
from gmm.selection import Sweep


def write_tables(folder: Path, findings: DensityFindings) -> None:
    """Writes all tables, and deletes those of an earlier call that have no row now."""
    pipeline = findings.final.pipeline
    plane = find_principal_plane(pipeline)
    write_csv(folder / "scores.csv", score_rows(findings))
    write_csv(folder / "projection.csv", projection_rows(plane, findings.sets))
    with atomic(folder / "selection.csv") as temporary:
        selection = selection_csv(pipeline.sweeps_, mixture_classes(findings))
        temporary.write_text(selection, encoding="utf-8")
    optional = {
        "detectors.csv": [result.cells() for result in findings.detector_results],
        "reliability.csv": findings.reliability,
        "contours.csv": plane.rows(),
    }
    for name, rows in optional.items():
        if rows:
            write_csv(folder / name, rows)
        else:
            (folder / name).unlink(missing_ok=True)


def score_rows(findings: DensityFindings) -> list[dict[str, Any]]:
    """The rows of ``scores.csv``; a column that a set lacks is blank in it."""
    rows = [row for scored in findings.sets for row in scored.rows(findings.classes)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name, "") for name in names} for row in rows]


def mixture_classes(findings: DensityFindings) -> list[str]:
    """The class of each mixture; a blank for one mixture of all images."""
    classes = findings.final.pipeline.fitted_.classes
    return [""] if classes is None else [findings.classes[int(index)] for index in classes]


def selection_csv(sweeps: Sequence[Sweep], classes: Sequence[str]) -> str:
    """The mixtures that competed, those of each class after one another."""
    lines = [
        (name, line)
        for name, sweep in zip(classes, sweeps, strict=True)
        for line in sweep.csv().splitlines()[1:]
    ]
    header = sweeps[0].csv().splitlines()[0]
    if len(sweeps) == 1:
        return "\n".join([header, *(line for _, line in lines)]) + "\n"
    return "\n".join([f"{header},class", *(f"{line},{name}" for name, line in lines)]) + "\n"


def projection_rows(plane: PrincipalPlane, sets: Sequence[ScoredSet]) -> list[dict[str, Any]]:
    """Where each image of each set lies in the plane."""
    return [
        {"id": record.id, "set": scored.name, "x": f"{x:.6g}", "y": f"{y:.6g}"}
        for scored in sets
        for record, (x, y) in zip(
            scored.images.records, plane.points(scored.images.features).tolist(), strict=True
        )
    ]
