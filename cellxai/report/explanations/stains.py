"""Which stain made the class: what the planes of all explained images amount to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StainShare:
    """One stain under one explainer: its mean share, with interval, and its signed evidence."""

    name: str
    share: float | None
    interval: tuple[float, float] | None
    signed: float | None
    highest: bool
    n_highest: int
    n_images: int


@dataclass(frozen=True)
class StainLine:
    """One explainer: all stains in the order of the planes."""

    explainer: str
    planes: tuple[StainShare, ...]

    @property
    def strongest(self) -> StainShare:
        """The stain of the largest mean share."""
        return max(self.planes, key=lambda plane: plane.share or 0)

    @property
    def highest(self) -> str:
        """Which stain is highest in how many images, in words."""
        plane = self.strongest
        return f"{plane.name}, in {plane.n_highest} of {plane.n_images} images"


@dataclass(frozen=True)
class Stains:
    """What the template draws of the planes.

    Args:
        planes: Their names.
        lines: A line for each explainer that tells planes apart.
        without: Why the others do not, a line each.
    """

    planes: tuple[str, ...]
    lines: tuple[StainLine, ...]
    without: tuple[str, ...]

    @property
    def chance(self) -> float:
        """The share of a stain by what knows nothing."""
        return 1 / len(self.planes)

    @property
    def n_images(self) -> int:
        """How many images the means are over, at most."""
        return max((line.planes[0].n_images for line in self.lines), default=0)

    @property
    def summary(self) -> str:
        """The answer of the first explainer, in a sentence."""
        if not self.lines:
            return "No explainer told the stains apart."
        line, plane = self.lines[0], self.lines[0].strongest
        return (
            f"By {line.explainer}, {plane.name} made the class: it has the highest share of the "
            f"evidence in {plane.n_highest} of {plane.n_images} images."
        )


def read_stains(saved: Mapping[str, Any] | None) -> Stains | None:
    """What ``index.json`` says of the planes; None where it says nothing."""
    if not saved:
        return None
    planes = tuple(str(name) for name in saved["names"])
    lines = [_read_line(str(name), rows) for name, rows in saved["explainers"].items()]
    without = tuple(f"{name} {reason}" for name, reason in saved["without"].items())
    return Stains(planes, tuple(lines), without)


def _read_line(explainer: str, rows: Sequence[Mapping[str, Any]]) -> StainLine:
    largest = max((row["share"] or 0 for row in rows), default=0)
    return StainLine(
        explainer,
        tuple(
            StainShare(
                str(row["plane"]),
                row["share"],
                None if row["low"] is None else (float(row["low"]), float(row["high"])),
                row["signed"],
                bool(row["share"]) and row["share"] == largest,
                int(row["n_highest"]),
                int(row["n_images"]),
            )
            for row in rows
        ),
    )
