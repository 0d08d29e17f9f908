"""``wells.csv``, ``plates.csv`` and ``plates.png`` of an evaluation: its images by well."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.records import Record
from cellxai.data.wells import well_of
from cellxai.evaluation.judgement import PartJudgement
from cellxai.evaluation.well_tables import PLATES, WELLS, draw_wells, plate_row, well_row
from cellxai.evaluation.wells import WellImages, judge_plates, judge_wells, report_wells
from cellxai.files.folder import RunFolder, read_csv, write_csv

PICTURE = "plates.png"


def judge_wells_of(
    folder: Path,
    parts: Mapping[str, PartJudgement],
    records: Mapping[str, Sequence[Record]],
    judged: str,
    flagged: Mapping[tuple[str, str], bool],
) -> dict[str, Any]:
    """Writes tables of wells and plates and draws them; returns what they say of each part.

    Nothing is written where no image names its well, and files of an earlier call are removed.

    Args:
        folder: Of the evaluation.
        parts: What was predicted, by part.
        records: The images of each part.
        judged: The part that is drawn.
        flagged: Whether an image is unfamiliar, by part and id, where a density has said it.
    """
    report: dict[str, Any] = {}
    well_rows: list[dict[str, Any]] = []
    plate_rows: list[dict[str, Any]] = []
    for name in (PICTURE, WELLS, PLATES):  # of an earlier evaluation of this folder
        (folder / name).unlink(missing_ok=True)
    for part, of_part in parts.items():
        classes = of_part.classes
        wells = judge_wells(images_of(of_part, records[part], flagged))
        plates = judge_plates(wells, classes)
        well_rows += [{"part": part, **well_row(well, classes)} for well in wells]
        plate_rows += [{"part": part, **plate_row(plate)} for plate in plates]
        if wells:
            report[part] = report_wells(wells, plates)
        if wells and part == judged:
            draw_wells(wells, classes, folder / PICTURE, f"{part} images by well")
    if well_rows:
        write_csv(folder / WELLS, with_all_keys(well_rows))
        write_csv(folder / PLATES, with_all_keys(plate_rows))
    return report


def images_of(
    judged: PartJudgement,
    records: Sequence[Record],
    flagged: Mapping[tuple[str, str], bool],
) -> WellImages:
    """The images of a part with their wells."""
    flags = [flagged.get((judged.part, record.id)) for record in records]
    known = None if None in flags else np.array(flags, dtype=bool)
    wells = [well_of(record.columns) for record in records]
    return WellImages(wells, judged.probabilities(), known, judged.labels.numpy())


def flagged_by_density(folder: RunFolder) -> dict[tuple[str, str], bool]:
    """Whether the run's density flags each image, by part and id; empty without a density."""
    table = folder.density / "scores.csv"
    if not table.is_file():
        return {}
    return {
        (row["set"], row["id"]): row["unfamiliar"] == "1"
        for row in read_csv(table)
        if "unfamiliar" in row and "set" in row
    }


def with_all_keys(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of equal keys; what one lacks is empty."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name, "") for name in names} for row in rows]


def describe_wells(report: Mapping[str, Any], part: str) -> tuple[str, ...]:
    """A line on the wells of a part; none without."""
    found = report.get(part, {}).get("accuracy_of_wells")
    if found is None:
        return ()
    low, high = found["interval"]
    line = (
        f"by well: {found['n_right']} of {found['n_wells']} wells right, {found['value']:.3f} (95 "
        f"% interval {low:.3f} to {high:.3f}, wells as units"
    )
    if found["plates"] is not None:
        low, high = found["plates"]
        n_plates = report[part]["n_plates"]
        line += f"; {low:.3f} to {high:.3f}, {n_plates} plates as units"
    return (f"{line}); {WELLS}, {PLATES}, {PICTURE}",)
