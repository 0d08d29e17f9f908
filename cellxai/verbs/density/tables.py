"""The tables of ``density`` in the run folder, one ``.csv`` file each.

``scores.csv`` has a row for each image and set: ``set`` is a part of the run, ``out of fold``, or
the name of a set of strangers; ``part`` is what the image was to the pipeline: ``fitted`` (its
p-values are from densities of other folds), ``judged`` (it had no say), ``unfamiliar``. ``p`` is
the p-value of being known, ``log_p`` the mean natural logarithm of the smallest p-values, of a
quarter of the views, ``view`` the view of the smallest; ``p: VIEW`` are those of each view.
``views.csv`` says for each set of strangers how well each view alone separates them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.density.densities.mixture import FittedMixture
from cellxai.density.rounds import Round
from cellxai.density.scored_sets import UNFAMILIAR, ScoredSet
from cellxai.evaluation.curves import weighted_auroc
from cellxai.files.folder import atomic, write_csv
from cellxai.verbs.density.findings import DensityFindings
from gmm.selection import Sweep


def write_tables(folder: Path, findings: DensityFindings) -> None:
    """Writes all tables, and deletes those of an earlier call that have no row now."""
    write_csv(folder / "scores.csv", score_rows(findings))
    optional = {
        "detectors.csv": [result.cells() for result in findings.detector_results],
        "reliability.csv": findings.reliability,
        "views.csv": view_rows(findings.sets),
    }
    for name, rows in optional.items():
        if rows:
            write_csv(folder / name, rows)
        else:
            (folder / name).unlink(missing_ok=True)
    selection = selection_csv(sweeps_of(findings.final))
    if selection:
        with atomic(folder / "selection.csv") as temporary:
            temporary.write_text(selection, encoding="utf-8")
    else:
        (folder / "selection.csv").unlink(missing_ok=True)
    for earlier in ("projection.csv", "contours.csv"):  # of earlier releases
        (folder / earlier).unlink(missing_ok=True)


def score_rows(findings: DensityFindings) -> list[dict[str, Any]]:
    """The rows of ``scores.csv``; a column that a set lacks is blank in it."""
    rows = [row for scored in findings.sets for row in scored.rows(findings.classes)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name, "") for name in names} for row in rows]


def view_rows(sets: Sequence[ScoredSet]) -> list[dict[str, Any]]:
    """How well each view alone separates each set of strangers from the known images.

    These are the judged ones, or those of the fit, scored out of their folds, where none is judged.
    """
    known = [scored for scored in sets if scored.role == "judged"]
    known = known or [scored for scored in sets if scored.role == "fitted"]
    usual = np.concatenate([scored.verdicts.log_p.numpy() for scored in known])
    rows = []
    for scored in sets:
        if scored.role != UNFAMILIAR:
            continue
        strange = scored.verdicts.log_p.numpy()
        truth = np.r_[np.zeros(len(usual), bool), np.ones(len(strange), bool)]
        for place, view in enumerate(scored.views):
            scores = -np.r_[usual[:, place], strange[:, place]]
            scores = np.clip(scores, -np.finfo(float).max, np.finfo(float).max)
            area = weighted_auroc(scores, truth, np.ones((1, len(truth))))[0]
            share = np.mean([name == view for name in scored.most_surprised])
            rows.append({
                "set": scored.name, "view": view, "auroc": f"{area:.6f}",
                "most_surprised_share": f"{share:.6f}",
            })  # fmt: skip
    return rows


def sweeps_of(final: Round) -> dict[str, tuple[Sweep, ...]]:
    """The mixtures that competed, by view; of views with a mixture."""
    return {
        name: fitted.density.sweeps
        for name, fitted in final.pipeline.fitted_.items()
        if isinstance(fitted.density, FittedMixture)
    }


def selection_csv(sweeps: dict[str, tuple[Sweep, ...]]) -> str:
    """The mixtures that competed in each view, those of each class after one another."""
    lines = [
        f"{name},{number},{line}"
        for name, of_view in sweeps.items()
        for number, swept in enumerate(of_view)
        for line in swept.csv().splitlines()[1:]
    ]
    headers = [swept.csv().splitlines()[0] for of_view in sweeps.values() for swept in of_view]
    return "\n".join([f"view,mixture,{headers[0]}", *lines]) + "\n" if headers else ""
