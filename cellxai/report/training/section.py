"""How the training went: its curves and its last epoch."""

import shlex
from dataclasses import dataclass

from cellxai.files.folder import RunFolder
from cellxai.report.pieces import Picture, Section
from cellxai.report.saved_files import embed, fill, read_rows


@dataclass(frozen=True)
class Training:
    """How the training went.

    Args:
        curves: Loss and accuracy by epoch.
        n_epochs: Number of finished epochs.
        last: Name and value of each figure of the last epoch.
    """

    curves: Picture
    n_epochs: int
    last: tuple[tuple[str, str], ...]


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
    return fill(empty, folder.metrics, lambda: _read_training(folder))


def _read_training(folder: RunFolder) -> Training:
    rows = read_rows(folder.metrics)
    alt = "Line charts of training and validation loss and accuracy by epoch."
    last = [(name.replace("_", " "), value) for name, value in rows[-1].items() if value]
    return Training(
        embed(folder.root, folder.root / "curves.png", alt),
        len({row["epoch"] for row in rows}),
        tuple((name, f"{float(value):.4g}") for name, value in last),
    )
