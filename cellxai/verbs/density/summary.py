"""What ``density`` tells when it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellxai.data.records import Fault
from cellxai.data.splits import PARTS
from cellxai.density.comparison import Row
from cellxai.density.place_rounds import FoundPlaces
from cellxai.density.rounds import BOTH, DENSITY
from cellxai.density.scores import OUT_OF_FOLD
from gmm.anomaly import DensityThreshold


@dataclass(frozen=True)
class Density:
    """What ``density`` found.

    Args:
        folder: Where the pipeline, the tables and the pictures lie.
        mixture: The chosen mixture in words.
        warnings: What makes the scores less trustworthy.
        threshold: In nats, and what it was set on.
        gap_nats: How much higher the images of the fit score than unseen ones, in the median.
        share_flagged: Share of each set that is unfamiliar.
        table: Detectors on sets of strangers.
        faults: What could not be read of each other set and was left out.
        places: The density of places, where one is wanted.
    """

    folder: Path
    mixture: str
    warnings: tuple[str, ...]
    threshold: DensityThreshold
    gap_nats: float
    share_flagged: dict[str, float]
    table: tuple[Row, ...]
    faults: dict[str, tuple[Fault, ...]]
    places: FoundPlaces | None = None

    def __str__(self) -> str:
        judged_in_turn = OUT_OF_FOLD in self.share_flagged  # all parts were fitted to, then
        shares = ", ".join(
            f"{name} {share:.0%}"
            for name, share in self.share_flagged.items()
            if not judged_in_turn or name not in PARTS
        )
        return "\n".join(
            [
                f"{self.folder}: {self.mixture}; {self.threshold}; flagged: {shares}",
                f"images of the fit against unseen ones: {self.gap_nats:+.3g} nats in the median",
                *best_detectors(self.table),
                *([] if self.places is None else [str(self.places)]),
                *(f"warning: {line}" for line in self.warnings),
                *(f"left out of {name}: {fault}"
                  for name, faults in self.faults.items() for fault in faults),
            ]
        )  # fmt: skip


def best_detectors(table: Sequence[Row]) -> list[str]:
    """A line for each set of strangers: the AUROC of the density and of the best detector."""
    told = []
    for name in dict.fromkeys(row.set for row in table):
        rows = [row for row in table if row.set == name]
        best = max(rows, key=lambda row: row.values["auroc"])
        ours = [row for row in rows if row.detector in (DENSITY, BOTH) and row is not best]
        areas = (f"{row.detector} {row.values['auroc']:.3f}" for row in (*ours, best))
        told.append(f"{name}: AUROC {', '.join(areas)}")
    return told
