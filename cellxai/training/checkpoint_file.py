"""Weights in one ``.ckpt`` file: plain values, whole or absent, and found out if damaged."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from cellxai.files.digest import check_digest, vouched

# What torch raises at a file that was cut, changed or is none.
DAMAGE = (
    OSError, EOFError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError,
    AttributeError, MemoryError, AssertionError, UnpicklingError,
)  # fmt: skip
WAY_OUT = "copy it again, or train again into another --run"


def write_checkpoint(checkpoint: dict[str, Any], path: Path) -> None:
    """Writes plain values whole or not at all, with their SHA-256 beside them.

    Raises:
        WriteError: If the disk or the quota is full; the old file is kept.
    """
    # Through a file of our own: of a path, torch does not say why it could not be written.
    with vouched(path) as temporary, temporary.open("wb") as file:
        torch.save(checkpoint, file)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The plain values of a checkpoint, on the CPU; nothing in it is run.

    Raises:
        FileNotFoundError: If there is no such file.
        PermissionError: If it may not be read.
        ValueError: If it is damaged, was changed, or is no checkpoint.
    """
    check_digest(path, WAY_OUT)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError):
        raise
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: no checkpoint that can be read ({reason}); {WAY_OUT}") from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path}: holds a {type(checkpoint).__name__}, expected a checkpoint")
    return checkpoint
