"""``wells.csv``: what the images of each well say together, where a table names their wells."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.csv_rows import read_rows
from cellxai.files.folder import write_csv
from cellxai.verbs.score.table import ScoreRow, probability_columns

Well = tuple[str, str]
"""Plate and well; the plate is empty where the table has none."""

COLUMNS = ("plate", "well")


def read_wells(names: Sequence[str]) -> dict[str, Well]:
    """The well of each file, by its resolved path, from the tables among the names of images.

    Tables without a column ``well``, and rows in which it is empty, name none.

    Raises:
        FileNotFoundError: If a table does not exist.
        ValueError: If a table is no CSV text.
    """
    wells: dict[str, Well] = {}
    for table in (Path(name) for name in names if name.lower().endswith(".csv")):
        for row in read_rows(table, ("path",)):
            if row["path"] and row["well"]:
                wells[str((table.parent / row["path"]).resolve())] = row["plate"], row["well"]
    return wells


def judge_wells(
    rows: Sequence[ScoreRow], wells: Mapping[str, Well], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each well, in the order of plates and wells; none where no image has one.

    Args:
        rows: What was said of the images.
        wells: The well of each file.
        classes: Names of the classes.
    """
    of_well: dict[Well, list[ScoreRow]] = {}
    for row in rows:
        if row.path in wells:
            of_well.setdefault(wells[row.path], []).append(row)
    return [judge_well(well, of_well[well], classes) for well in sorted(of_well)]


def judge_well(well: Well, rows: Sequence[ScoreRow], classes: Sequence[str]) -> dict[str, Any]:
    """The row of one well.

    Probabilities are means over the images that could be read, the class is the likeliest by these,
    and ``agreeing`` is the share of the images that have it. ``known_p`` is the number of images
    times the smallest of their p-values, at most 1 (Bonferroni): it holds however the images of a
    well depend on each other. Cells of what was not asked are empty.
    """
    columns = probability_columns(classes)
    read = [row for row in rows if not row.fault]
    judged: dict[str, Any] = {
        **dict(zip(COLUMNS, well, strict=True)),
        "n_images": len(read), "n_broken": len(rows) - len(read),
        "predicted": "", "probability": "", "agreeing": "", "n_unfamiliar": "", "known_p": "",
    }  # fmt: skip
    p_values = [float(row.known_p) for row in read if row.known_p]
    if p_values:
        judged["n_unfamiliar"] = sum(row.unfamiliar == "1" for row in read)
        judged["known_p"] = f"{min(1.0, len(p_values) * min(p_values)):.6f}"
    if not read:
        return judged | dict.fromkeys(columns, "")
    shares = np.array([[float(row.probabilities[c]) for c in columns] for row in read]).mean(0)
    predicted = classes[int(shares.argmax())]
    judged |= {
        "predicted": predicted,
        "probability": f"{shares.max():.6f}",
        "agreeing": f"{np.mean([row.predicted == predicted for row in read]):.6f}",
    }
    return judged | {c: f"{share:.6f}" for c, share in zip(columns, shares, strict=True)}


def write_wells(
    path: Path, rows: Sequence[ScoreRow], wells: Mapping[str, Well], classes: Sequence[str]
) -> int:
    """Writes the table and returns its number of wells; no table where there is none."""
    judged = judge_wells(rows, wells, classes)
    if judged:
        write_csv(path, judged)
    else:
        path.unlink(missing_ok=True)  # of an earlier call
    return len(judged)
