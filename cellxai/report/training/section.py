"""How the training went: its curves and its last epoch."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Doubt, Picture, Section
from cellxai.report.saved_files import CsvRow, embed, fill, read_rows

MUCH_MORE = 1.25  # of the lowest validation loss: less is noise between epochs


@dataclass(frozen=True)
class Training:
    """How the training went.

    Args:
        curves: Loss and accuracy by epoch.
        n_epochs: Number of finished epochs.
        last: Name and value of each figure of the last epoch.
        overconfident: Where the loss was lowest long before the accuracy was best, the sentence
            that says so; empty otherwise.
    """

    curves: Picture
    n_epochs: int
    last: tuple[tuple[str, str], ...]
    overconfident: str


def training_section(folder: RunFolder) -> Section:
    """The curves and the last epoch."""
    empty = Section(
        "training",
        "Training",
        "Both losses should fall together; a validation loss that rises while the training loss "
        "falls means that the classifier has begun to memorise. The best checkpoint was chosen on "
        "the validation images, so their accuracy flatters it a little.",
        f"cellxai fit --config {shlex.quote(str(folder.config))}",
    )
    command = f"cellxai evaluate --run {shlex.quote(str(folder.root))}"
    return fill(
        empty, folder.metrics, lambda: _read_training(folder),
        doubts=lambda training: _find_doubts(training, command),
    )  # fmt: skip


def _find_doubts(training: Training, command: str) -> tuple[Doubt, ...]:
    return (Doubt(training.overconfident, command),) if training.overconfident else ()


def _read_training(folder: RunFolder) -> Training:
    rows = read_rows(folder.metrics)
    alt = "Line charts of training and validation loss and accuracy by epoch."
    last = [(name.replace("_", " "), value) for name, value in rows[-1].items() if value]
    return Training(
        embed(folder.root, folder.root / "curves.png", alt),
        len({row["epoch"] for row in rows}),
        tuple((name, f"{float(value):.4g}") for name, value in last),
        _describe_overconfidence(rows),
    )


def _describe_overconfidence(rows: Sequence[CsvRow]) -> str:
    """A sentence where the epoch of the best accuracy has a clearly higher loss than another."""
    epochs = [
        (float(row["validation_accuracy"]), float(row["validation_loss"]), row["epoch"])
        for row in rows
        if row.get("validation_accuracy") and row.get("validation_loss")
    ]
    if not epochs:
        return ""
    _, loss, best = max(epochs, key=lambda epoch: (epoch[0], -epoch[1]))
    lowest, at = min((other, epoch) for _, other, epoch in epochs)
    if loss <= MUCH_MORE * lowest:
        return ""
    return (
        f"The validation accuracy is best in epoch {best}, with a loss of {loss:.3g}; the loss was "
        f"lowest in epoch {at} ({lowest:.3g}): the network became surer than it is right, so read "
        "its calibrated probabilities."
    )
