"""The frozen backbone of a run, kept once beside checkpoints that hold the head alone."""

from pathlib import Path

import torch
from torch import Tensor

from cellxai.classifier.module import BACKBONE, CellClassifier
from cellxai.files.folder import RunFolder, atomic


def keep_backbone(classifier: CellClassifier, folder: RunFolder, writes: bool) -> None:
    """Writes a frozen backbone into the run folder, or takes it from there when a run resumes.

    Args:
        classifier: Its backbone is written or replaced.
        folder: The run folder.
        writes: False in the processes that leave writing to another.
    """
    path = backbone_file(folder)
    if path.exists():
        kept = torch.load(path, map_location="cpu", weights_only=True)
        classifier.backbone.load_state_dict(kept)
    elif writes:
        with atomic(path) as temporary:
            torch.save(classifier.backbone.state_dict(), temporary)


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
    frozen = torch.load(path, map_location="cpu", weights_only=True)
    return {**{BACKBONE + name: value for name, value in frozen.items()}, **state}


def backbone_file(folder: RunFolder) -> Path:
    """Where a run keeps its frozen backbone."""
    return folder.checkpoints / "backbone.ckpt"
