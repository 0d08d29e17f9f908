"""Resuming: what a killed training goes on from, and whether a folder holds the same run."""

from pathlib import Path
from typing import Any

from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.splits import SplitSettings
from cellxai.files.config import as_config, read_config
from cellxai.files.folder import RunFolder, read_json
from cellxai.training.backbone_file import backbone_file
from cellxai.training.settings import TrainingSettings

# What a run may go on with that is not what it was begun with: none changes a weight.
SAME_RESULTS = {
    "run", "loading.cache", "loading.workers", "training.checkpoint_every_steps",
    "training.loggers", "training.tensorboard",
}  # fmt: skip


DEFAULTS = as_config(
    {
        "split": SplitSettings(), "transforms": Transforms(), "training": TrainingSettings(),
        "loading": LoadingSettings(),
    }
)  # fmt: skip


def find_last_checkpoint(folder: RunFolder) -> Path | None:
    """The checkpoint that a training goes on from; ``None`` at its first start."""
    last = folder.checkpoints / "last.ckpt"
    return last if last.exists() else None


def check_same_run(folder: RunFolder, settings: dict[str, Any]) -> None:
    """Raises ``ValueError`` where the folder holds a run of other settings; names the first.

    A run that ended before its first checkpoint is none: the corrected call takes its place.
    """
    difference = first_difference(folder, settings) if has_begun(folder) else None
    if difference is not None:
        key, earlier, now = difference
        raise ValueError(
            f"{folder.root} holds a run with {key}={earlier!r}, got {now!r}; "
            "choose another --run, or remove that folder"
        )


def first_difference(folder: RunFolder, settings: dict[str, Any]) -> tuple[str, Any, Any] | None:
    """The first setting that is not that of the folder's run: its key, the earlier value, the new.

    An option that the version which began the run did not have, has its default there.
    """
    if not folder.config.exists():
        return None
    earlier, now = flatten(DEFAULTS) | flatten(read_config(folder.config)), flatten(settings)
    for key in sorted({*earlier, *now} - SAME_RESULTS):
        if earlier.get(key) != now.get(key):
            return key, earlier.get(key), now.get(key)
    return None


def has_begun(folder: RunFolder) -> bool:
    """Whether there is anything of a training to go on from."""
    return is_finished(folder) or any(
        (folder.checkpoints / f"{name}.ckpt").exists() for name in ("best", "last")
    )


def remove_beginning(folder: RunFolder) -> None:
    """Removes what a run of other settings left that had no checkpoint."""
    for path in (backbone_file(folder), folder.metrics, folder.environment):
        path.unlink(missing_ok=True)


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a nested config."""
    if not isinstance(config, dict):
        return {prefix: config}
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else key)
    return flat


def is_finished(folder: RunFolder) -> bool:
    """Whether the training in a folder has come to its end."""
    return folder.environment.exists() and read_json(folder.environment).get("finished", False)
