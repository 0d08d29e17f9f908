"""``wells.csv``, ``plates.csv`` and ``plates.png``: images by well, where their wells are named."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.wells import Well, in_plate_order, well_of
from cellxai.evaluation.well_tables import PLATES, WELLS, draw_wells, plate_row, well_row
from cellxai.evaluation.wells import JudgedWell, WellImages, judge_plates, judge_wells
from cellxai.files.folder import write_csv
from cellxai.verbs.score.table import ScoreRow, probability_columns

PICTURE = "plates.png"
Columns = Mapping[tuple[str, str], Mapping[str, str]]
"""What tables say of an image, by the key of its row."""


def judge_rows(
    rows: Sequence[ScoreRow], columns: Columns, classes: Sequence[str]
) -> list[JudgedWell]:
    """The wells of the images that could be read.

    Args:
        rows: What was said of the images.
        columns: Which well each is from, among others.
        classes: Names of the classes.
    """
    read = [row for row in rows if not row.fault]
    names = probability_columns(classes)
    shares = np.array([[float(row.probabilities[name]) for name in names] for row in read])
    asked = bool(read) and all(row.unfamiliar for row in read)
    flags = np.array([row.unfamiliar == "1" for row in read], dtype=bool)
    wells = [well_of(columns.get(row.key, {})) for row in read]
    images = WellImages(wells, shares.reshape(-1, len(names)), flags if asked else None)
    return judge_wells(images)


def well_rows(
    judged: Sequence[JudgedWell],
    rows: Sequence[ScoreRow],
    columns: Columns,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """A row for each well, in the order of the plate; also for one of broken images alone.

    Beside what :func:`cellxai.evaluation.well_tables.well_row` says: ``n_broken``, and ``known_p``,
    the number of images times the smallest of their p-values, at most 1 (Bonferroni): it holds
    however the images of a well depend on each other.
    """
    members: dict[Well, list[ScoreRow]] = {}
    for row in rows:
        if well := well_of(columns.get(row.key, {})):
            members.setdefault(well, []).append(row)
    by_well = {well.well: well_row(well, classes) for well in judged}
    names = probability_columns(classes)
    table = []
    for well in sorted(members, key=in_plate_order):
        own = by_well.get(well, {"plate": well.plate, "well": well.well, "n_images": 0})
        p_values = [float(row.known_p) for row in members[well] if row.known_p]
        flags = [row.unfamiliar == "1" for row in members[well] if row.unfamiliar]
        table.append({
            "plate": own["plate"], "well": own["well"], "n_images": own["n_images"],
            "n_broken": sum(bool(row.fault) for row in members[well]),
            **{name: own.get(name, "") for name in SAID},
            "n_unfamiliar": sum(flags) if flags else "",
            "known_p": f"{min(1.0, len(p_values) * min(p_values)):.6f}" if p_values else "",
            **{new: own.get(f"p_{name}", "") for name, new in zip(classes, names, strict=True)},
        })  # fmt: skip
    return table


SAID = (
    "predicted", "probability", "probability_low", "probability_high", "agreeing", "share_unknown",
)  # fmt: skip


def write_wells(
    folder: Path, rows: Sequence[ScoreRow], columns: Columns, classes: Sequence[str]
) -> int:
    """Writes the tables, draws the plates, and returns the number of wells.

    Where no image has a well, files of an earlier call are removed.
    """
    judged = judge_rows(rows, columns, classes)
    table = well_rows(judged, rows, columns, classes)
    for name in (WELLS, PLATES, PICTURE):
        (folder / name).unlink(missing_ok=True)
    if table:
        write_csv(folder / WELLS, table)
    if judged:
        plates = judge_plates(judged, classes)
        write_csv(folder / PLATES, [plate_row(plate) for plate in plates])
        draw_wells(judged, classes, folder / PICTURE, "images by well")
    return len(table)
