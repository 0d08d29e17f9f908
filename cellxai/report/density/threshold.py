"""Whether the density's threshold flags as many known images as it was set to flag."""

from dataclasses import dataclass
from pathlib import Path

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Picture
from cellxai.report.saved_files import attempt, embed_if_drawn, read_rows

ALT = "Measured against nominal share of flagged known images, with 95 % intervals."


@dataclass(frozen=True)
class MeasuredThreshold:
    """One threshold on known images that neither fitted the mixture nor set it; shares in [0, 1].

    Args:
        nominal: Share that it was set to flag.
        share: Share that it flags.
        interval: 95 % interval of it.
        n_images: Known images that it was measured on.
    """

    nominal: float
    share: float
    interval: tuple[float, float]
    n_images: int

    @property
    def kept(self) -> bool:
        """Whether the nominal share lies inside the interval."""
        return self.interval[0] <= self.nominal <= self.interval[1]


@dataclass(frozen=True)
class Promise:
    """What the template draws.

    Args:
        rows: One per nominal share.
        used: The row of the threshold in use.
        picture: Measured against nominal share; ``None`` where it was not drawn.
    """

    rows: tuple[MeasuredThreshold, ...]
    used: MeasuredThreshold
    picture: Picture | None


def read_promise(folder: RunFolder, nominal_percent: float) -> tuple[Promise | None, str]:
    """The rows of ``reliability.csv`` and why they cannot be shown; nothing in older results."""
    source = folder.density / "reliability.csv"
    rows, problem = attempt(source, lambda: _read_rows(source))
    if not rows:
        return None, problem
    used = min(rows, key=lambda row: abs(row.nominal - nominal_percent / 100))
    picture = embed_if_drawn(folder.root, folder.density / "reliability.png", ALT)
    return Promise(rows, used, picture), problem


def _read_rows(source: Path) -> tuple[MeasuredThreshold, ...]:
    return tuple(
        MeasuredThreshold(
            float(row["nominal_percent"]) / 100,
            float(row["measured_share"]),
            (float(row["low"]), float(row["high"])),
            int(row["n"]),
        )
        for row in read_rows(source)
    )
