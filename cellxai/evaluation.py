"""``evaluate``: how often a trained classifier is right, and where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
)
from torch import Tensor

from cellxai.data.records import Fault
from cellxai.figures.confusion import draw_confusion
from cellxai.runfolder import write_csv, write_json
from cellxai.training.settings import Device
from cellxai.training.trained import TrainedRun, load_run

NOTES = {
    "test": "the test images had no say in training, in the choice of the epoch or of a threshold",
    "validation": "the kept checkpoint was chosen on these validation images, so it flatters",
    "train": "there are no images but those trained on: this says nothing of new ones",
}


@dataclass(frozen=True)
class Evaluation:
    """What ``evaluate`` found.

    Args:
        folder: Where predictions, report and picture lie.
        accuracy: Share of right predictions per part.
        judged_part: The part to quote.
        faults: Images that could not be read and were left out.
    """

    folder: Path
    accuracy: dict[str, float]
    judged_part: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        figures = ", ".join(f"{part} {value:.3f}" for part, value in self.accuracy.items())
        found = f"{self.folder}: accuracy {figures}; {NOTES[self.judged_part]}"
        return "\n".join([found, *(f"left out: {fault}" for fault in self.faults)])


def evaluate(run: Path, device: Device = "auto") -> Evaluation:
    """Judges a trained run: predictions, a report per class and the confusion matrix.

    Args:
        run: The run folder of `cellxai fit`.
        device: Where to compute; "auto" takes a CUDA device when there is one.
    """
    return evaluate_run(load_run(run, device))


def evaluate_run(trained: TrainedRun) -> Evaluation:
    """:func:`evaluate` of a run that is read already."""
    folder = trained.folder.evaluation
    predictions, parts = [], {}
    for part in trained.parts:
        probabilities = trained.outputs(part)[0].softmax(-1)
        predictions += prediction_rows(trained, part, probabilities)
        parts[part] = judge(trained.labels(part), probabilities.argmax(-1), trained.classes)
    write_csv(folder / "predictions.csv", predictions)
    judged = trained.judged_part
    report = {
        "classes": list(trained.classes), "parts": parts, "judged_part": judged,
        "checkpoint": trained.checkpoint, "note": NOTES[judged],
    }  # fmt: skip
    write_json(folder / "report.json", report)
    matrix = np.array(parts[judged]["confusion"])
    draw_confusion(matrix, trained.classes, folder / "confusion.png", judged)
    accuracy = {part: found["accuracy"] for part, found in parts.items()}
    return Evaluation(folder, accuracy, judged, trained.images.faults)


def prediction_rows(
    trained: TrainedRun, part: str, probabilities: Float[Tensor, "n k"]
) -> list[dict[str, Any]]:
    """One row per image: what it is, what was predicted, and how surely."""
    rows = []
    for record, row in zip(trained.images.records(part), probabilities, strict=True):
        predicted = int(row.argmax())
        each = {f"p_{name}": f"{p:.6f}" for name, p in zip(trained.classes, row, strict=True)}
        rows.append(
            {"id": record.id, "part": part, "label": record.label,
             "predicted": trained.classes[predicted], "confidence": f"{row[predicted]:.6f}"} | each
        )  # fmt: skip
    return rows


def judge(
    labels: Int[Tensor, " n"], predicted: Int[Tensor, " n"], classes: Sequence[str]
) -> dict[str, Any]:
    """Accuracy, balanced accuracy, the report per class and the confusion matrix of one part.

    A class without a single prediction has precision 0; one without images counts in no mean.
    """
    known = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels,
        predicted,
        labels=known,
        zero_division=0,  # pyright: ignore[reportArgumentType]
    )
    columns = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    return {
        "n_images": len(labels),
        "accuracy": float(torch.eq(labels, predicted).double().mean()),
        "balanced_accuracy": float(balanced_accuracy_score(labels, predicted)),
        "per_class": {
            name: {figure: np.asarray(column)[place].item() for figure, column in columns.items()}
            for place, name in enumerate(classes)
        },
        "confusion": confusion_matrix(labels, predicted, labels=known).tolist(),
    }
