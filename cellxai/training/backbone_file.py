"""The frozen backbone of a run, kept once beside checkpoints that hold the head alone."""

from pathlib import Path

from torch import Tensor

from cellxai.classifier.module import BACKBONE, CellClassifier
from cellxai.files.folder import RunFolder
from cellxai.training.checkpoint_file import read_checkpoint, write_checkpoint


def keep_backbone(classifier: CellClassifier, folder: RunFolder, writes: bool) -> None:
    """Writes a frozen backbone into the run folder, or takes it from there when a run resumes.

    Args:
        classifier: Its backbone is written or replaced.
        folder: The run folder.
        writes: False in the processes that leave writing to another.
    """
    path = backbone_file(folder)
    if path.exists():
        load_backbone(classifier, path)
    elif writes:
        write_checkpoint(classifier.backbone.state_dict(), path)


def load_backbone(classifier: CellClassifier, path: Path) -> None:
    """Replaces a backbone by that of a file.

    Raises:
        ValueError: If it is damaged, or that of another network.
    """
    try:
        classifier.backbone.load_state_dict(read_checkpoint(path))
    except RuntimeError as error:
        raise ValueError(
            f"{path}: does not fit this network's backbone; train into another --run"
        ) from error


def with_backbone(state: dict[str, Tensor], folder: RunFolder) -> dict[str, Tensor]:
    """Weights of a whole classifier: those of a checkpoint, and the backbone it leaves out.

    Raises:
        FileNotFoundError: If the run folder lacks the backbone.
    """
    path = backbone_file(folder)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: the checkpoints beside it hold the head alone; copy the whole run "
            "folder, or train again into another --run"
        )
    frozen = read_checkpoint(path)
    return {**{BACKBONE + name: value for name, value in frozen.items()}, **state}


def backbone_file(folder: RunFolder) -> Path:
    """Where a run keeps its frozen backbone."""
    return folder.checkpoints / "backbone.ckpt"
