"""Which picture is taken of a file that holds several: axes, slices, time points, series."""

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

LETTERS = "TCZYXS"
LETTER_AND_SIZE = re.compile(r"([A-Z])(\d*)")
Projection = Literal["max", "mean", "middle", "planes"]
MEANING = "T time, C channel, Z slice, Y rows, X columns, S samples of a colour"


@dataclass(frozen=True)
class Stack:
    """Which picture is taken of a file that holds several; other files are read as they are.

    Channels and the samples of a colour always become planes. Nothing else is dropped in silence: a
    file of several time points or series is refused until one is named.

    Args:
        axes: The axes of a file in the order in which it stores them, the slowest first: ``ZCYX``.
            T is time, C channel, Z slice, Y rows, X columns, S samples of a colour. A number after
            a letter says how many there are, where a file has a list of pages alone: ``ZC3YX`` has
            three channels of each slice. ``null`` takes what the file says (OME, ImageJ,
            tifffile); one of several pages that says nothing is refused.
        z: What becomes of slices: ``max`` or ``mean`` of each pixel (of whole numbers rounded to
            one), the ``middle`` one (number n // 2 from 0), all as ``planes`` (those of the first
            channel first), or the number of one, from 0.
        time: Number of the time point, from 0; ``null`` for the only one.
        series: Number of the image in a file of several, from 0; ``null`` for the only one.

    Raises:
        ValueError: If the axes cannot be understood, or a number is negative.
    """

    axes: str | None = None
    z: Projection | int = "max"
    time: int | None = None
    series: int | None = None

    def __post_init__(self) -> None:
        if self.axes is not None:
            parse_axes(self.axes)
        is_number = isinstance(self.z, int) and not isinstance(self.z, bool) and self.z >= 0
        if not is_number and self.z not in get_args(Projection):
            expected = ", ".join(get_args(Projection))
            raise ValueError(f"stack.z={self.z!r}: expected {expected}, or a number from 0")
        for name in ("time", "series"):
            number = getattr(self, name)
            if number is not None and number < 0:
                raise ValueError(f"stack.{name}={number}: expected a number from 0, or null")

    def at(self, series: int | None, time: int | None) -> "Stack":
        """The same with a series or a time point where those of a record are known."""
        return replace(
            self,
            series=self.series if series is None else series,
            time=self.time if time is None else time,
        )


def parse_axes(axes: str) -> list[tuple[str, int | None]]:
    """The letters with their sizes, ``None`` where none is given.

    Raises:
        ValueError: If a letter is unknown or comes twice, Y or X is missing, or a size is 0.
    """
    parts = LETTER_AND_SIZE.findall(axes)
    letters = "".join(letter for letter, _ in parts)
    sound = "".join(map("".join, parts)) == axes and len(set(letters)) == len(letters)
    if not sound or not set("YX") <= set(letters) <= set(LETTERS):
        raise ValueError(
            f"stack.axes={axes!r}: expected each of some letters once, Y and X among them, such as "
            f"CYX or TZC3YX ({MEANING})"
        )
    sizes = [int(size) if size else None for _, size in parts]
    if 0 in sizes:
        raise ValueError(f"stack.axes={axes!r}: a size of 0, expected 1 or more")
    return list(zip(letters, sizes, strict=True))
