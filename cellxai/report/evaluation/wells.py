"""What the images of each well say together, and how sure that is with wells or plates as units."""

from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.intervals.saved import read_interval
from cellxai.report.pieces import Picture
from cellxai.report.saved_files import dig, embed_if_drawn


@dataclass(frozen=True)
class WellFigure:
    """A figure of the wells; its interval takes ``units`` for independent."""

    name: str
    value: float
    interval: tuple[float, float] | None
    units: str


@dataclass(frozen=True)
class Wells:
    """The wells of the part to quote first.

    Args:
        line: How many there are.
        rows: Their figures.
        picture: The plates; ``None`` where wells are not named by row and column.
    """

    line: str
    rows: tuple[WellFigure, ...]
    picture: Picture | None


def read_wells(folder: RunFolder, saved: dict[str, Any], part: str) -> Wells | None:
    """The wells of a part; ``None`` where no image names its well."""
    found = dig(saved, "wells", part)
    if not found:
        return None
    n_wells, n_plates = int(found["n_wells"]), int(found["n_plates"])
    rows: list[WellFigure] = []
    right = found.get("accuracy_of_wells")
    if right:
        name = f"wells whose class is right ({right['n_right']} of {right['n_wells']})"
        rows.append(
            WellFigure(
                name,
                float(right["value"]),
                read_interval(right.get("interval", right.get("wilson"))),
                "wells",
            )
        )
        if right.get("plates") is not None:
            interval = read_interval(right["plates"])
            rows.append(WellFigure(name, float(right["value"]), interval, "plates"))
    units = f"{found['unit']}s"
    for name, figure in found["figures"].items():
        interval = read_interval(figure["interval"])
        rows.append(WellFigure(describe_figure(name), float(figure["mean"]), interval, units))
    alt = "Plates: accuracy, share of unfamiliar images and mean probability of a class by well."
    return Wells(
        f"{found['n_images']} images of {n_wells} wells on {n_plates} plate(s).",
        tuple(rows),
        embed_if_drawn(folder.root, folder.evaluation / "plates.png", alt),
    )


def describe_figure(name: str) -> str:
    """A figure in words."""
    words = {
        "accuracy": "images classified as labelled, mean of the wells",
        "share_unknown": "unfamiliar images, mean of the wells",
    }
    return words.get(name, f"mean probability of {name.removeprefix('p_')}")
