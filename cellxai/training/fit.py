"""``fit``: from a data set and settings to a run folder that holds a trained classifier."""

import logging
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L

from cellxai.classifier.module import CellClassifier, ModelSettings, balanced_weights
from cellxai.configuration import as_config, read_config, write_config
from cellxai.data.datamodule import CellImages
from cellxai.data.records import Fault, Record, Source
from cellxai.data.splits import PARTS, SplitSettings, split_records, write_split
from cellxai.data.transforms import Transforms
from cellxai.figures.curves import draw_curves
from cellxai.runfolder import RunFolder, read_csv, read_json, write_json
from cellxai.training.callbacks import (
    AtomicCheckpoints,
    MetricsTable,
    StepSeed,
    Stopwatch,
    checkpoints,
    early_stopping,
)
from cellxai.training.environment import (
    describe_data,
    describe_environment,
    describe_start,
    earlier_starts,
    total_seconds,
)
from cellxai.training.settings import TrainingSettings, choose_device, device_name


@dataclass(frozen=True)
class Fitted:
    """A trained run.

    Args:
        run: Its folder.
        epochs: Epochs done.
        seconds: Time of the training alone, over all starts.
        device: What it ran on.
        n_faults: Images and rows left out; ``environment.json`` lists them.
        accuracy: Accuracy of the kept checkpoint on the validation images; ``None`` without them.
    """

    run: Path
    epochs: int
    seconds: float
    device: str
    n_faults: int
    accuracy: float | None

    def __str__(self) -> str:
        judged = (
            "no validation part"
            if self.accuracy is None
            else f"validation accuracy {self.accuracy:.3f}"
        )
        faults = f"; {self.n_faults} faulty images or rows left out" if self.n_faults else ""
        cost = f"{self.epochs} epochs in {self.seconds:.0f} s on {self.device}"
        return f"{self.run}: {cost}; {judged}{faults}"


def fit(
    data: Source,
    run: Path,
    split: SplitSettings = SplitSettings(),
    transforms: Transforms = Transforms(),
    model: ModelSettings = ModelSettings(),
    training: TrainingSettings = TrainingSettings(),
    seed: int = 0,
) -> Fitted:
    """Trains a classifier on labelled images into a run folder; a killed run continues.

    The same call again continues from the last finished epoch, and does nothing where the run is
    finished. The same seed gives the same weights on the same CPU and thread count; on CUDA, sums
    may differ in the last bits.

    Args:
        data: Where the images are; --data.help CLASS lists a reader's options.
        run: Folder of the run; everything lands there.
        split: Which images train, validate, test.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        seed: Of weights, order and augmentation.

    Raises:
        ValueError: If the settings do not fit the data, or the folder holds another run.
    """
    folder = RunFolder(run)
    settings = {
        "data": data, "run": run, "split": split, "transforms": transforms, "model": model,
        "training": training, "seed": seed,
    }  # fmt: skip
    check_same_run(folder, as_config(settings))
    if is_finished(folder):
        return fitted(folder)
    device = choose_device(training.device)
    images, faults = load_images(data, split, transforms, training.batch_size, seed)
    L.seed_everything(seed, workers=True, verbose=False)
    classifier = new_classifier(model, training, images)
    write_config(folder.config, settings)
    write_split(folder.split, images.all_records, images.parts)
    environment = describe_environment(seed, device_name(device), count_parameters(classifier))
    data_found = describe_data(all_readable(images), (*faults, *images.faults))
    starts = [*earlier_starts(folder.environment), describe_start(environment)]
    cost = {"starts": starts, "seconds": total_seconds(starts)}
    write_json(folder.environment, {**environment, "data": data_found, **cost})
    train(classifier, images, folder, training)
    draw_curves(read_csv(folder.metrics), folder.root / "curves.png")
    write_json(folder.environment, {**read_json(folder.environment), "finished": True})
    return fitted(folder)


def check_same_run(folder: RunFolder, settings: dict[str, Any]) -> None:
    """Raises ``ValueError`` where the folder holds a run of other settings; names the first."""
    if not folder.config.exists():
        return
    earlier, now = flatten(read_config(folder.config)), flatten(settings)
    for key in sorted({*earlier, *now} - {"run"}):
        if earlier.get(key) != now.get(key):
            raise ValueError(
                f"{folder.root} holds a run with {key}={earlier.get(key)!r}, got {now.get(key)!r}; "
                "choose another --run, or remove that folder"
            )


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


def load_images(
    data: Source, split: SplitSettings, transforms: Transforms, batch_size: int, seed: int
) -> tuple[CellImages, tuple[Fault, ...]]:
    """The data set in parts, not read yet, and what the reader found wrong with it.

    Raises:
        ValueError: If fewer than two classes are left.
    """
    scan = data.scan()
    if len(scan.classes) < 2:
        raise ValueError(
            f"found {len(scan.records)} sound images of {len(scan.classes)} class(es) and "
            f"{len(scan.faults)} faults, expected at least two classes; `cellxai check` lists them"
        )
    parts = split_records(scan.records, split)
    images = CellImages(scan.records, parts, scan.classes, transforms, batch_size, seed)
    return images, scan.faults


def all_readable(images: CellImages) -> list[Record]:
    """The images of all parts that could be decoded."""
    return [record for part in PARTS for record in images.records(part)]


def new_classifier(
    model: ModelSettings, training: TrainingSettings, images: CellImages
) -> CellClassifier:
    """A classifier for the classes of the data, its starting weights loaded."""
    n_classes = len(images.classes)
    balanced = training.class_weights == "balanced"
    return CellClassifier(
        model.backbone.build(load_weights=True),
        model.head,
        n_classes,
        training.optimiser,
        balanced_weights(images.labels("train"), n_classes) if balanced else None,
        monitor="validation_loss" if has_validation(images) else "train_loss",
        frozen_statistics=model.frozen_statistics,
    )


def has_validation(images: CellImages) -> bool:
    """Whether any image was set aside to choose the epoch."""
    return len(images.records("validation")) > 0


def count_parameters(classifier: CellClassifier) -> int:
    """Trainable numbers of the network."""
    return sum(parameter.numel() for parameter in classifier.parameters())


def train(
    classifier: CellClassifier, images: CellImages, folder: RunFolder, training: TrainingSettings
) -> None:
    """Runs Lightning's Trainer, from the last checkpoint if there is one."""
    quieten_lightning()
    monitor = "validation_loss" if has_validation(images) else None
    trainer = L.Trainer(
        accelerator="gpu" if choose_device(training.device).type == "cuda" else "cpu",
        devices=1,
        max_epochs=training.epochs,
        deterministic="warn",
        callbacks=[
            StepSeed(images.seed),
            MetricsTable(folder.metrics),
            Stopwatch(folder.environment),
            *checkpoints(folder, monitor),
            *early_stopping(monitor, training.early_stopping_patience),
        ],
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_progress_bar=sys.stderr.isatty(),  # a bar in a log is a flood
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if monitor else 0,
    )
    last = folder.checkpoints / "last.ckpt"
    resumed = str(last) if last.exists() else None
    try:
        trainer.fit(classifier, datamodule=images, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # how Lightning ends after Ctrl-C, with the signal turned off for good
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None


def quieten_lightning() -> None:
    """Turns off advice that does not hold here; every other warning stays."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # The images lie in memory as 8-bit pixels, so worker processes would only copy them around.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # Lightning 2.6 asks torch in a way that torch 2.14 will drop; only Lightning can change that.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    # A run that continues finds its checkpoints there, as it should.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")


def fitted(folder: RunFolder) -> Fitted:
    """The result of a finished run, as its folder tells it."""
    environment, rows = read_json(folder.environment), read_csv(folder.metrics)
    judged = [row for row in rows if row["validation_loss"]]
    best = min(judged, key=lambda row: float(row["validation_loss"]), default=None)
    return Fitted(
        folder.root, len(rows), environment["seconds"], environment["device"],
        len(environment["data"]["faults"]),
        float(best["validation_accuracy"]) if best else None,
    )  # fmt: skip
