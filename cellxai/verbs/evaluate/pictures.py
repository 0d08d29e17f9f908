"""The pictures and the table of curves of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from cellxai.data.records import Record
from cellxai.evaluation.curves import ClassCurve, macro_average, macro_roc
from cellxai.evaluation.judgement import PartJudgement
from cellxai.figures.evaluation.confusion import draw_confusion
from cellxai.figures.evaluation.mistakes import MistakePanel, draw_mistakes
from cellxai.figures.evaluation.reliability import ReliabilityPanel, draw_reliability
from cellxai.figures.evaluation.roc import Curve, draw_roc
from cellxai.figures.planes import as_rgb
from cellxai.files.folder import write_csv

MOST_MISTAKES = 12  # on the sheet; predictions.csv holds them all
N_RATES = 501  # points of the macro curve, which is drawn and not stored
TITLES = {"equal_width": "15 bins of equal width", "equal_mass": "bins of equal counts"}


def draw_evaluation(
    folder: Path,
    judged: PartJudgement,
    records: Sequence[Record],
    pictures: UInt8[Tensor, "n p h w"],
    temperature: float | None,
    plane_names: Sequence[str] = (),
) -> None:
    """Draws every picture of judged images into a folder.

    Args:
        folder: Of the evaluation.
        judged: What was predicted of the images.
        records: The images.
        pictures: Their pixels as the network saw them.
        temperature: That of the validation images; ``None`` without one.
        plane_names: Of the planes of their pixels; none of grey and RGB.
    """
    matrix = np.array(judged.report["confusion"])
    draw_confusion(matrix, judged.classes, folder / "confusion.png", judged.part)
    draw_roc(roc_curves(judged.curves), folder / "roc.png", judged.part)
    write_csv(folder / "roc.csv", curve_rows(judged.curves))
    draw_reliability(
        reliability_panels(judged, temperature), folder / "reliability.png", judged.part
    )
    sheet = folder / "mistakes.png"
    panels = mistake_panels(judged, records, pictures, plane_names)
    if panels:
        draw_mistakes(panels, sheet, count_mistakes(judged))
    else:
        sheet.unlink(missing_ok=True)  # of an earlier evaluation of this folder


def roc_curves(curves: Sequence[ClassCurve]) -> list[Curve]:
    """The curves of all classes, then their mean where there is more than one."""
    drawn = [
        Curve(
            curve.name, curve.false_positive_rate, curve.recall, curve.precision,
            curve.auroc, curve.average_precision,
            curve.n_positive / (curve.n_positive + curve.n_negative), curve.problem,
        )
        for curve in curves
    ]  # fmt: skip
    if sum(not curve.problem for curve in curves) < 2:
        return drawn
    rates = np.linspace(0, 1, N_RATES)
    mean = Curve(
        "macro", rates, macro_roc(curves, rates), None,
        macro_average([curve.auroc for curve in curves]),
        macro_average([curve.average_precision for curve in curves]),
    )  # fmt: skip
    return [*drawn, mean]


def curve_rows(curves: Sequence[ClassCurve]) -> list[dict[str, Any]]:
    """One row per class and threshold, for further plots; a class without curves has one row."""
    return [
        {
            "class": curve.name, "threshold": f"{threshold:.8g}",
            "false_positive_rate": f"{fpr:.6g}" if curve.n_negative else "",
            "recall": f"{recall:.6g}" if curve.n_positive else "",
            "precision": f"{precision:.6g}",
        }
        for curve in curves
        for threshold, fpr, recall, precision in zip(
            curve.thresholds, curve.false_positive_rate, curve.recall, curve.precision, strict=True
        )
    ]  # fmt: skip


def reliability_panels(judged: PartJudgement, temperature: float | None) -> list[ReliabilityPanel]:
    """Reliability in both binnings, before and, where there is a temperature, after it."""
    before = judged.reliabilities()
    after = judged.reliabilities(temperature) if temperature else {}
    return [
        ReliabilityPanel(
            TITLES[name], bins.counts, bins.confidence, bins.accuracy, bins.low, bins.high,
            bins.error,
            None if name not in after else (after[name].confidence, after[name].accuracy),
            None if name not in after else after[name].error,
        )
        for name, bins in before.items()
    ]  # fmt: skip


def count_mistakes(judged: PartJudgement) -> int:
    """Number of images of the part whose predicted class is not the labelled one."""
    return int((judged.predicted != judged.labels).sum())


def mistake_panels(
    judged: PartJudgement,
    records: Sequence[Record],
    pictures: UInt8[Tensor, "n p h w"],
    plane_names: Sequence[str] = (),
) -> list[MistakePanel]:
    """The mistakes of the judged images, the most confident first, as the network saw them."""
    probabilities, labels = judged.probabilities(), judged.labels.numpy()
    wrong = np.flatnonzero(judged.predicted.numpy() != labels)
    worst = wrong[np.argsort(-probabilities[wrong].max(-1), kind="stable")][:MOST_MISTAKES]
    return [
        MistakePanel(
            records[row].id,
            as_rgb(pictures[row].permute(1, 2, 0).float().div(255).numpy(), plane_names),
            records[row].label,
            judged.classes[int(probabilities[row].argmax())],
            float(probabilities[row].max()),
            float(probabilities[row, labels[row]]),
        )
        for row in worst
    ]
