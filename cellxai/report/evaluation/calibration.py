"""Whether the classifier's confidence can be believed: the calibration part of the evaluation."""

from dataclasses import dataclass
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Picture
from cellxai.report.saved_files import dig, embed_if_drawn

BINNINGS = {"equal_width": "ECE, bins of equal width", "equal_mass": "ECE, bins of equal counts"}


@dataclass(frozen=True)
class CalibrationFigure:
    """One figure of calibration; lower is better.

    Args:
        name: Which figure it is.
        before: Its value as trained.
        after: Its value after temperature scaling; ``None`` where there was none.
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
        rows: One per figure.
        temperature: Fitted on the validation images; ``None`` where it could not be.
        problem: Why it could not be fitted; empty where it could.
        verdict: What the figures say, in a sentence.
    """

    picture: Picture | None
    rows: tuple[CalibrationFigure, ...]
    temperature: float | None
    problem: str
    verdict: str


def read_calibration(folder: RunFolder, saved: Any, part: str) -> Calibration | None:
    """Calibration of the judged part, from the values of ``report.json``."""
    saved_calibration = dig(saved, "parts", part, "calibration")
    if saved_calibration is None:
        return None
    temperature = dig(saved, "temperature")
    after = dig(temperature, "after") if dig(temperature, "judged_on") == part else None
    rows = [
        CalibrationFigure(
            title, saved_calibration[name]["ece"], dig(after, f"ece_{name}"),
            saved_calibration[name]["if_calibrated"]["quantile_95"],
        )
        for name, title in BINNINGS.items()
    ]  # fmt: skip
    likelihood = "negative_log_likelihood"
    entropy = saved_calibration[likelihood], dig(after, likelihood), None
    rows.append(CalibrationFigure("cross-entropy (nats)", *entropy))
    alt = "Share of right images against confidence, with the number of images in each bin."
    return Calibration(
        embed_if_drawn(folder.root, folder.evaluation / "reliability.png", alt),
        tuple(rows),
        dig(temperature, "value"),
        str(dig(temperature, "problem") or ""),
        _verdict(rows[1]),
    )


def _verdict(row: CalibrationFigure) -> str:
    """By the bins of equal counts: bins of equal width hold single images where few are unsure."""
    if row.by_chance is not None and row.before <= row.by_chance:
        return "So many images of a perfectly calibrated network could look the same."
    return "More than chance: do not take a confidence for the probability of being right."
