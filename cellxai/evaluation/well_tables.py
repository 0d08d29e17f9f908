"""Wells and plates as rows of CSV tables and as pictures, for ``evaluate`` and ``score`` alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from cellxai.data.wells import Place, place_of, plate_shape, row_name
from cellxai.evaluation.wells import JudgedPlate, JudgedWell
from cellxai.figures.evaluation.plates import PlateRow, draw_plates

WELLS, PLATES = "wells.csv", "plates.csv"
MOST_CLASSES = 3  # with a panel each; wells.csv has them all
MOST_PLATES = 8  # in one picture


def well_row(well: JudgedWell, classes: Sequence[str]) -> dict[str, Any]:
    """A line of ``wells.csv``; cells of what was not asked are empty."""
    low, high = cells_of(well.interval)
    row: dict[str, Any] = {
        "plate": well.well.plate, "well": well.well.well, "n_images": well.n_images,
        "predicted": classes[well.predicted],
        "probability": cell(well.probabilities[well.predicted]),
        "probability_low": low, "probability_high": high,
        "agreeing": cell(well.agreeing), "share_unknown": cell(well.share_unknown),
    }  # fmt: skip
    if well.accuracy is not None:
        row |= {
            "label": "" if well.label is None else classes[well.label],
            "accuracy": cell(well.accuracy),
        }
    shares = zip(classes, well.probabilities, strict=True)
    return row | {f"p_{name}": cell(share) for name, share in shares}


def plate_row(plate: JudgedPlate) -> dict[str, Any]:
    """A line of ``plates.csv``: each figure with the ends of its interval."""
    row: dict[str, Any] = {
        "plate": plate.plate, "unit": plate.unit, "n_units": plate.n_units,
        "n_wells": plate.n_wells, "n_images": plate.n_images,
    }  # fmt: skip
    for name, figure in plate.figures.items():
        low, high = cells_of(figure.interval)
        row |= {name: cell(figure.value), f"{name}_low": low, f"{name}_high": high}
    return row


def cell(value: float | np.floating | None) -> str:
    """A share as text; empty where there is none."""
    return "" if value is None else f"{value:.6f}"


def cells_of(interval: tuple[float, float] | None) -> tuple[str, str]:
    """Both ends of an interval as text; empty where there is none."""
    return ("", "") if interval is None else (cell(interval[0]), cell(interval[1]))


def draw_wells(wells: Sequence[JudgedWell], classes: Sequence[str], path: Path, title: str) -> None:
    """Draws the plates; no picture where no well is named by row and column.

    Args:
        wells: At least one.
        classes: Names of the classes.
        path: The PNG to write.
        title: What they are.
    """
    placed = [(place, well) for well in wells if (place := place_of(well.well.well)) is not None]
    if not placed:
        path.unlink(missing_ok=True)  # of an earlier call
        return
    names = list(dict.fromkeys(well.well.plate for _, well in placed))
    shape = plate_shape(place for place, _ in placed)
    rows = [row_name(row) for row in range(shape[0])]
    plates = []
    for name in names[:MOST_PLATES]:
        own = [(place, well) for place, well in placed if well.well.plate == name]
        plates.append(PlateRow(name or "(no name)", rows, plate_panels(own, shape, classes)))
    n_more = len(names) - MOST_PLATES
    more = f"; {n_more} more plates in {WELLS}" if n_more > 0 else ""
    of = "1 plate" if len(names) == 1 else f"{len(names)} plates"
    draw_plates(plates, path, f"{title}: {len(wells)} wells of {of}, in %{more}")


def plate_panels(
    placed: Sequence[tuple[Place, JudgedWell]], shape: Place, classes: Sequence[str]
) -> dict[str, Float[np.ndarray, "rows columns"]]:
    """Each number of one plate's wells by its title; NaN where a well has no image."""
    panels: dict[str, Float[np.ndarray, "rows columns"]] = {}
    for place, well in placed:
        for title, value in panels_of(well, classes).items():
            panels.setdefault(title, np.full(shape, np.nan))[place] = value
    return panels


def panels_of(well: JudgedWell, classes: Sequence[str]) -> dict[str, float]:
    """The numbers of a well that are drawn, by the titles of their panels.

    Of two classes the second, since the first is what is left.
    """
    panels: dict[str, float] = {}
    if well.accuracy is not None:
        panels["images classified as labelled"] = well.accuracy
    if well.share_unknown is not None:
        panels["unfamiliar images"] = well.share_unknown
    shown = range(1, 2) if len(classes) == 2 else range(min(MOST_CLASSES, len(classes)))
    shares = {f"mean probability of {classes[k]}": float(well.probabilities[k]) for k in shown}
    return panels | shares
