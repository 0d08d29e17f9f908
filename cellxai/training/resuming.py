"""Resuming: what a killed training goes on from, and whether a folder holds the same run."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.planes import rename_colour
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.splits import SplitSettings
from cellxai.files.config import as_config, read_config
from cellxai.files.folder import RunFolder, read_csv, read_json, write_json
from cellxai.training.backbone_file import backbone_file
from cellxai.training.settings import TrainingSettings

# What a run may go on with that is not what it was begun with: none changes a weight.
SAME_RESULTS = {
    "run", "loading.cache", "loading.workers", "training.checkpoint_every_steps",
    "training.loggers", "training.tensorboard",
}  # fmt: skip

# What may grow: the run goes on from its last checkpoint to a later end.
EPOCHS, PATIENCE = "training.epochs", "training.early_stopping_patience"
LONGER = (EPOCHS, PATIENCE)

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


@dataclass(frozen=True)
class Difference:
    """A setting that is not that of the folder's run.

    Args:
        earlier: Its value in the run.
        now: Its value now.
    """

    earlier: Any
    now: Any


def list_differences(folder: RunFolder, settings: dict[str, Any]) -> dict[str, Difference]:
    """The settings that are not those of the folder's run, by their dotted keys; none without one.

    An option that the version which began the run did not have, has its default there.
    """
    if not folder.config.exists():
        return {}
    recorded = rename_colour(read_config(folder.config))
    earlier, now = flatten(DEFAULTS) | flatten(recorded), flatten(settings)
    return {
        key: Difference(earlier.get(key), now.get(key))
        for key in sorted({*earlier, *now} - SAME_RESULTS)
        if earlier.get(key) != now.get(key)
    }


def check_same_run(folder: RunFolder, differences: Mapping[str, Difference]) -> bool:
    """Whether the folder's run is to be trained further than it was asked to before.

    A run that ended before its first checkpoint is none: the corrected call takes its place.

    Raises:
        ValueError: If the folder holds a run of other settings; names the first.
    """
    if not differences or not has_begun(folder):
        return False
    for key, difference in differences.items():
        if key not in LONGER or not is_longer(difference):
            raise ValueError(
                f"{folder.root} holds a run with {key}={difference.earlier!r}, got "
                f"{difference.now!r}; choose another --run, or remove that folder"
            )
    if EPOCHS in differences and PATIENCE not in differences:
        refuse_stopped(folder, differences[EPOCHS])
    return True


def check_same_images(folder: RunFolder, fingerprint: str) -> None:
    """Refuses to go on with other images: some that were tested would train, or the reverse.

    Args:
        folder: The run folder.
        fingerprint: Of the ids, labels and files of the images now.

    Raises:
        ValueError: If the run began with others.
    """
    if not has_begun(folder) or not folder.environment.exists():
        return
    before = read_json(folder.environment).get("data", {}).get("fingerprint")
    if before not in (None, fingerprint):
        raise ValueError(
            f"{folder.root} holds a run on other images: some were added, removed, relabelled or "
            "changed since it began; choose another --run, or bring the earlier images back"
        )


def is_longer(difference: Difference) -> bool:
    """Whether a number of epochs grows; null is longer than any."""
    if difference.earlier is None:
        return False
    return difference.now is None or difference.now > difference.earlier


def refuse_stopped(folder: RunFolder, epochs: Difference) -> None:
    """Refuses more epochs for a run that early stopping had ended: it would stop at once.

    Raises:
        ValueError: Naming what to pass as well.
    """
    n_done = len(read_csv(folder.metrics)) if folder.metrics.exists() else 0
    if is_finished(folder) and n_done < epochs.earlier:
        raise ValueError(
            f"{EPOCHS}={epochs.now}: early stopping ended the run in {folder.root} after {n_done} "
            f"of {epochs.earlier} epochs; pass a larger {PATIENCE} as well, or null"
        )


def reopen(folder: RunFolder) -> list[str]:
    """Makes a run ready to be trained further; returns a line for what is set aside.

    What was found of its weights so far gets a name of its own, so that nothing takes it for a
    finding of the weights to come.
    """
    n_done = len(read_csv(folder.metrics)) if folder.metrics.exists() else 0
    found = [path for path in findings_of(folder) if path.exists()]
    for path in found:
        path.rename(free_name(path.with_name(f"{path.name}-{n_done}-epochs")))
    # Not finished, before its config says that it is to be longer: it could be killed in between.
    begun = read_json(folder.environment) if folder.environment.exists() else {}
    write_json(folder.environment, {**begun, "finished": False})
    if not found:
        return []
    names = ", ".join(path.name for path in found)
    return [f"{names}: of the weights after {n_done} epochs, now NAME-{n_done}-epochs; ask again"]


def findings_of(folder: RunFolder) -> list[Path]:
    """Folders of what verbs found of the weights of a run."""
    return [
        folder.evaluation, folder.density, folder.score, folder.explain, folder.benchmark,
        folder.report.parent,
    ]  # fmt: skip


def free_name(path: Path) -> Path:
    """The path, or the first with a number behind it that is not taken."""
    names = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in count(1))
    return next(name for name in names if not name.exists())


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
