"""How often the classifier is right, and where it is not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellxai.files.folder import RunFolder
from cellxai.intervals.saved import read_interval
from cellxai.report.evaluation.calibration import Calibration, read_calibration
from cellxai.report.evaluation.conformal_sets import ConformalSets, read_conformal_sets
from cellxai.report.evaluation.doubts import doubt_accuracy
from cellxai.report.evaluation.wells import Wells, read_wells
from cellxai.report.pieces import Card, Doubt, Picture, Section
from cellxai.report.printed_numbers import percent
from cellxai.report.saved_files import (
    attempt,
    dig,
    embed,
    embed_if_drawn,
    fill,
    read_json,
    read_rows,
)

MOST_TRUSTED = ("test", "validation")
CAVEATS = {
    "validation": "The best checkpoint was chosen on these images: expect less on new ones.",
    "train": "The classifier learnt from these very images: this is no estimate at all.",
}
MOST_MISTAKES = 25  # more are in predictions.csv; the page is to be read

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class ClassScore:
    """How well one class is recognised; shares in [0, 1], ``support`` in images.

    ``auroc`` and ``average_precision`` are of the class against the rest; ``None`` where the part
    has no image of it, or of nothing else.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    recall_interval: Interval
    auroc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class Part:
    """The figures of one part of the images.

    Args:
        name: ``test``, ``validation`` …
        n_images: How many images it has.
        n_right: How many are classified as labelled.
        accuracy: Share of its images that are classified as labelled.
        balanced_accuracy: Mean recall of the classes, which a frequent class cannot dominate.
        interval: 95 % interval of the accuracy.
        balanced_interval: 95 % interval of the balanced accuracy; ``None`` in old results of a
            part without a mistake.
        auroc: Mean AUROC of the classes.
        auroc_interval: 95 % interval of it.
        classes: One row per class.
    """

    name: str
    n_images: int
    n_right: int
    accuracy: float
    balanced_accuracy: float
    interval: Interval
    balanced_interval: Interval
    auroc: float | None
    auroc_interval: Interval
    classes: tuple[ClassScore, ...]


@dataclass(frozen=True)
class Floor:
    """What something simpler than the network scores on the same images."""

    name: str
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Mistake:
    """An image whose predicted class is not the labelled one; ``confidence`` in [0, 1]."""

    id: str
    part: str
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """What the template draws.

    Args:
        parts: All parts, the one to quote first.
        caveats: What to keep in mind, one sentence each.
        confusion: The confusion matrix.
        floors: The network, then what it has to beat; empty in old results.
        curves: ROC and precision-recall; ``None`` where they were not drawn.
        calibration: Whether confidences are true; ``None`` in old results.
        conformal: Sets of possible classes; ``None`` in old results.
        wells: Its images by well; ``None`` where no image names its well.
        sheet: The worst mistakes as pictures; ``None`` without any.
        mistakes: At most ``MOST_MISTAKES`` of the part to quote first, the most confident first.
        n_mistakes: How many there are in all.
        problem: Why the mistakes cannot be listed.
    """

    parts: tuple[Part, ...]
    caveats: tuple[str, ...]
    confusion: Picture
    floors: tuple[Floor, ...]
    curves: Picture | None
    calibration: Calibration | None
    conformal: ConformalSets | None
    wells: Wells | None
    sheet: Picture | None
    mistakes: tuple[Mistake, ...]
    n_mistakes: int
    problem: str


def evaluation_section(folder: RunFolder, command: str) -> Section:
    """Accuracy, classes, confusion matrix and mistakes."""
    source = folder.evaluation / "report.json"
    empty = Section(
        "evaluation",
        "Evaluation",
        "How often the predicted class is the labelled one. Precision: of the images that are "
        "predicted to be of a class, the share that is; recall: of the images that are of a class, "
        "the share that is found.",
        command,
    )
    return fill(empty, source, lambda: _read_evaluation(folder, source), _make_cards, _find_doubts)


def _make_cards(evaluation: Evaluation) -> tuple[Card, ...]:
    part = evaluation.parts[0]
    detail = f"{part.n_right} of {part.n_images} {part.name} images"
    if part.interval is not None:
        low, high = part.interval
        detail += f"; 95 % interval {percent(low, 0)} to {percent(high, 0)}"
    return (Card("Accuracy", percent(part.accuracy), detail),)


def _find_doubts(evaluation: Evaluation) -> tuple[Doubt, ...]:
    part = evaluation.parts[0]
    floors = {floor.name: floor.accuracy for floor in evaluation.floors[1:]}
    return doubt_accuracy(part.name, part.n_images, part.accuracy, part.interval, floors)


def _read_evaluation(folder: RunFolder, source: Path) -> Evaluation:
    saved = read_json(source)
    parts = tuple(_read_part(name, part) for name, part in saved["parts"].items())
    order = _order(saved.get("judged_part"))
    parts = tuple(sorted(parts, key=lambda part: order(part.name)))
    predictions = folder.evaluation / "predictions.csv"
    mistakes, problem = attempt(predictions, lambda: _read_mistakes(predictions, order))
    mistakes = mistakes or []
    alt = "Confusion matrix: images by true class (rows) and predicted class (columns)."
    curves = "ROC and precision-recall curves of each class against the rest."
    sheet = "The most confident mistakes: each image with its labelled and predicted class."
    return Evaluation(
        parts,
        _caveats(saved, parts[0]),
        embed(folder.root, folder.evaluation / "confusion.png", alt),
        _floors(saved.get("baseline"), parts[0]),
        embed_if_drawn(folder.root, folder.evaluation / "roc.png", curves),
        read_calibration(folder, saved, parts[0].name),
        read_conformal_sets(saved),
        read_wells(folder, saved, parts[0].name),
        embed_if_drawn(folder.root, folder.evaluation / "mistakes.png", sheet),
        tuple(mistakes[:MOST_MISTAKES]),
        len(mistakes),
        problem if predictions.exists() else "evaluation/predictions.csv is missing",
    )


def _order(judged_part: Any) -> Callable[[str], int]:
    """Rank of a part by its name: the one to quote first, then by how little it chose."""
    names = (judged_part, *MOST_TRUSTED)
    return lambda part: names.index(part) if part in names else len(names)


def _read_part(name: str, saved: dict[str, Any]) -> Part:
    n_images = int(saved["n_images"])
    if n_images < 1:
        raise ValueError(f"part {name!r} has n_images={n_images}, expected at least 1")
    accuracy = float(saved["accuracy"])
    intervals, ranked = saved.get("intervals"), dig(saved, "ranking", "per_class")
    return Part(
        name,
        n_images,
        round(accuracy * n_images),
        accuracy,
        float(saved["balanced_accuracy"]),
        read_interval(dig(intervals, "accuracy")),
        read_interval(dig(intervals, "balanced_accuracy")),
        dig(saved, "ranking", "macro_auroc"),
        read_interval(dig(intervals, "macro_auroc")),
        tuple(
            _read_class(label, scores, dig(ranked, label))
            for label, scores in saved["per_class"].items()
        ),
    )


def _read_class(name: str, saved: dict[str, Any], ranked: Any) -> ClassScore:
    precision, recall, f1 = (float(saved[key]) for key in ("precision", "recall", "f1"))
    return ClassScore(
        name, precision, recall, f1, int(saved["support"]),
        read_interval(saved.get("recall_interval")),
        dig(ranked, "auroc"), dig(ranked, "average_precision"),
    )  # fmt: skip


def _floors(saved: Any, part: Part) -> tuple[Floor, ...]:
    """The network, one number per image, and no look at the image at all."""
    if dig(saved, "accuracy") is None or dig(saved, "part") != part.name:
        return ()
    constant = saved["constant"]
    return (
        Floor("this network", part.accuracy, part.interval),
        Floor(
            "pixel standard deviation alone",
            saved["accuracy"],
            read_interval(saved.get("interval", saved.get("wilson"))),
        ),
        Floor(f"always {constant['class']}", constant["accuracy"], None),
    )


def _caveats(saved: dict[str, Any], first: Part) -> tuple[str, ...]:
    worth = f"One {first.name} image is worth {percent(1 / first.n_images)} of accuracy."
    note = str(saved.get("note") or CAVEATS.get(first.name, ""))
    return (f"{note[0].upper()}{note[1:].rstrip('.')}.", worth) if note else (worth,)


def _read_mistakes(path: Path, order: Callable[[str], int]) -> list[Mistake]:
    wrong = [row for row in read_rows(path) if row["label"] != row["predicted"]]
    mistakes = [
        Mistake(row["id"], row["part"], row["label"], row["predicted"], float(row["confidence"]))
        for row in wrong
    ]
    return sorted(mistakes, key=lambda mistake: (order(mistake.part), -mistake.confidence))
