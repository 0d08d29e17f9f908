"""Whether sets of possible classes hold the true one as often as asked."""

from dataclasses import dataclass
from typing import Any

from cellxai.intervals.saved import read_interval
from cellxai.report.printed_numbers import decimal, interval, percent
from cellxai.report.saved_files import dig

KINDS = {"overall": "all classes", "by_class": "within each class"}
QUOTED = 0.9  # share of the line above the table: that of `cellxai score` unless told otherwise


@dataclass(frozen=True)
class SetsOfClasses:
    """Sets of one kind and promise, on test images.

    Args:
        kind: For which images it promises: all of them together, or those of each class.
        asked: Share of sets that are to hold the true class, in [0, 1].
        covered: Share that does.
        interval: 95 % interval of it.
        mean_size: Mean number of classes in a set.
        n_empty: Number of images whose set is empty.
        n_images: Number of images.
        problem: Why the promise says nothing; empty where it does.
    """

    kind: str
    asked: float
    covered: float
    interval: tuple[float, float] | None
    mean_size: float
    n_empty: int
    n_images: int
    problem: str

    @property
    def kept(self) -> bool:
        """Whether the interval does not lie below what was asked for: more is no breach."""
        return self.interval is None or self.interval[1] >= self.asked

    def __str__(self) -> str:
        kept = "as promised" if self.kept else "less than promised"
        return (
            f"Asked to hold the true class of {percent(self.asked, 0)} of the images, the sets "
            f"hold that of {percent(self.covered)} of {self.n_images} test images (95 % interval "
            f"{interval(self.interval, 1)}), {kept}, with {decimal(self.mean_size)} classes in a "
            "set on average."
        )


@dataclass(frozen=True)
class ConformalSets:
    """What the template draws.

    Args:
        rows: The least errors first, those of all classes before those within each.
        problem: Why there are no sets; empty where there are.
    """

    rows: tuple[SetsOfClasses, ...]
    problem: str

    @property
    def line(self) -> str:
        """What the sets that are asked for most do; empty without any."""
        return next((str(row) for row in self.rows if abs(row.asked - QUOTED) < 1e-9), "")


def read_conformal_sets(saved: Any) -> ConformalSets | None:
    """The sets of ``report.json``; ``None`` in older results and where no image judges them."""
    sets = dig(saved, "conformal")
    if sets is None:
        return None
    rows = tuple(
        _read_row(title, 1 - float(rate), entry)
        for kind, title in KINDS.items()
        for rate, entry in (dig(sets, kind) or {}).items()
        if dig(entry, "test", "n_images")
    )
    problem = str(dig(sets, "problem") or "")
    return ConformalSets(rows, problem) if rows or problem else None


def _read_row(kind: str, asked: float, entry: Any) -> SetsOfClasses:
    judged = entry["test"]
    return SetsOfClasses(
        kind, asked, float(judged["coverage"]), read_interval(judged["interval"]),
        float(judged["mean_size"]), int(judged["n_empty"]), int(judged["n_images"]),
        str(entry["unresolved"] or ""),
    )  # fmt: skip
