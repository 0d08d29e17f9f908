"""The pictures and curve tables of an evaluation: what is drawn, from which figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellxai.evaluation.curves import ClassCurve, macro, macro_roc
from cellxai.evaluation.judged import Judged
from cellxai.figures.evaluation.confusion import draw_confusion
from cellxai.figures.evaluation.mistakes import MistakePanel, draw_mistakes
from cellxai.figures.evaluation.reliability import ReliabilityPanel, draw_reliability
from cellxai.figures.evaluation.roc import Curve, draw_roc
from cellxai.files.folder import write_csv
from cellxai.trained.run import TrainedRun

MOST_MISTAKES = 12  # on the sheet; predictions.csv holds them all
N_PLACES = 501  # of the macro curve, which is drawn and not stored
TITLES = {"equal_width": "15 bins of equal width", "equal_mass": "bins of equal counts"}


def draw_all(trained: TrainedRun, judged: Judged, temperature: float | None) -> None:
    """Draws every picture of the judged part into the evaluation folder."""
    folder = trained.folder.evaluation
    matrix = np.array(judged.report["confusion"])
    draw_confusion(matrix, trained.classes, folder / "confusion.png", judged.part)
    draw_roc(roc_curves(judged.curves), folder / "roc.png", judged.part)
    write_csv(folder / "roc.csv", curve_rows(judged.curves))
    draw_reliability(
        reliability_panels(judged, temperature), folder / "reliability.png", judged.part
    )
    sheet = folder / "mistakes.png"
    panels = mistake_panels(trained, judged)
    if panels:
        draw_mistakes(panels, sheet, n_mistakes(judged))
    else:
        sheet.unlink(missing_ok=True)  # of an earlier evaluation of this folder


def roc_curves(curves: Sequence[ClassCurve]) -> list[Curve]:
    """The curves of all classes, then their mean where there is more than one."""
    drawn = [
        Curve(
            one.name, one.false_positive_rate, one.recall, one.precision,
            one.auroc, one.average_precision, one.n_positive / (one.n_positive + one.n_negative),
            one.problem,
        )
        for one in curves
    ]  # fmt: skip
    if sum(not one.problem for one in curves) < 2:
        return drawn
    places = np.linspace(0, 1, N_PLACES)
    mean = Curve(
        "macro", places, macro_roc(curves, places), None,
        macro([one.auroc for one in curves]), macro([one.average_precision for one in curves]),
    )  # fmt: skip
    return [*drawn, mean]


def curve_rows(curves: Sequence[ClassCurve]) -> list[dict[str, Any]]:
    """One row per class and threshold, for one's own plots; a class without curves has one row."""
    return [
        {
            "class": one.name, "threshold": f"{threshold:.8g}",
            "false_positive_rate": f"{fpr:.6g}" if one.n_negative else "",
            "recall": f"{recall:.6g}" if one.n_positive else "",
            "precision": f"{precision:.6g}",
        }
        for one in curves
        for threshold, fpr, recall, precision in zip(
            one.thresholds, one.false_positive_rate, one.recall, one.precision, strict=True
        )
    ]  # fmt: skip


def reliability_panels(judged: Judged, temperature: float | None) -> list[ReliabilityPanel]:
    """Reliability in both binnings, before and, where there is a temperature, after it."""
    before = judged.reliabilities()
    after = judged.reliabilities(temperature) if temperature else {}
    return [
        ReliabilityPanel(
            TITLES[name], one.counts, one.confidence, one.accuracy, one.low, one.high, one.error,
            None if name not in after else (after[name].confidence, after[name].accuracy),
            None if name not in after else after[name].error,
        )
        for name, one in before.items()
    ]  # fmt: skip


def n_mistakes(judged: Judged) -> int:
    """Images of the part whose predicted class is not the labelled one."""
    return int((judged.predicted != judged.labels).sum())


def mistake_panels(trained: TrainedRun, judged: Judged) -> list[MistakePanel]:
    """The mistakes of the judged part, the most confident first, as the network saw them."""
    probabilities, labels = judged.probabilities(), judged.labels.numpy()
    wrong = np.flatnonzero(judged.predicted.numpy() != labels)
    worst = wrong[np.argsort(-probabilities[wrong].max(-1), kind="stable")][:MOST_MISTAKES]
    records = trained.images.records(judged.part)
    return [
        MistakePanel(
            records[place].id,
            trained.pixels(judged.part, int(place))[0].permute(1, 2, 0).cpu().numpy(),
            records[place].label,
            trained.classes[int(probabilities[place].argmax())],
            float(probabilities[place].max()),
            float(probabilities[place, labels[place]]),
        )
        for place in worst
    ]
