"""Whether the classifier's confidence can be believed: the calibration part of the evaluation."""

from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.reading import Picture, dig, embed_if_drawn

BINNINGS = {"equal_width": "ECE, bins of equal width", "equal_mass": "ECE, bins of equal counts"}


@dataclass(frozen=True)
class Row:
    """One figure of calibration; lower is better.

    Args:
        name: Which.
        before: As trained.
        after: With temperature; ``None`` without one.
        by_chance: What a perfectly calibrated network would show at most, in 95 % of all sets of as
            many images; ``None`` for figures without such a limit.
    """

    name: str
    before: float
    after: float | None
    by_chance: float | None


@dataclass(frozen=True)
class Calibration:
    """What the template draws.

    Args:
        picture: Reliability; ``None`` where it was not drawn.
        rows: The figures.
        temperature: Fitted on the validation images; ``None`` where it could not be.
        problem: Why not; empty where it could.
        verdict: What the figures say, in a sentence.
    """

    picture: Picture | None
    rows: tuple[Row, ...]
    temperature: float | None
    problem: str
    verdict: str


def read_calibration(folder: RunFolder, saved: Any, part: str) -> Calibration | None:
    """Calibration of the judged part, from the values of ``report.json``."""
    found = dig(saved, "parts", part, "calibration")
    if found is None:
        return None
    temperature = dig(saved, "temperature")
    after = dig(temperature, "after") if dig(temperature, "judged_on") == part else None
    rows = [
        Row(
            title, found[name]["ece"], dig(after, f"ece_{name}"),
            found[name]["if_calibrated"]["quantile_95"],
        )
        for name, title in BINNINGS.items()
    ]  # fmt: skip
    likelihood = "negative_log_likelihood"
    rows.append(Row("cross-entropy (nats)", found[likelihood], dig(after, likelihood), None))
    alt = "Share of right images against confidence, with the number of images in each bin."
    return Calibration(
        embed_if_drawn(folder.root, folder.evaluation / "reliability.png", alt),
        tuple(rows),
        dig(temperature, "value"),
        str(dig(temperature, "problem") or ""),
        _verdict(rows[1]),
    )


def _verdict(row: Row) -> str:
    """By the bins of equal counts: those of equal width hold single images where few are unsure."""
    if row.by_chance is not None and row.before <= row.by_chance:
        return "So many images of a perfectly calibrated network could look the same."
    return "More than chance: do not take a confidence for the probability of being right."
