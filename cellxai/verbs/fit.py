"""``fit``: from a data set and settings to a run folder that holds a trained classifier."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L

from cellxai.classifier.backbone import FeatureNetwork, PlaneBackbone
from cellxai.classifier.class_weights import choose_weights
from cellxai.classifier.module import CellClassifier, ModelSettings
from cellxai.data.loading.copied_images import note_copies
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.planes import count, describe
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record, Source
from cellxai.data.splits import PARTS, SplitSettings, write_split
from cellxai.figures.training_curves import best_epoch, draw_curves
from cellxai.files.config import as_config, read_config, write_config
from cellxai.files.folder import RunFolder, read_csv, read_json, remove_leftovers, write_json
from cellxai.files.frame import Frame, read_frame
from cellxai.files.lock import run_lock
from cellxai.files.returned import Returned
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.environment import (
    describe_data,
    describe_environment,
    describe_split,
    describe_start,
    earlier_starts,
    total_seconds,
)
from cellxai.training.last_batch import check_last_batch
from cellxai.training.measured import as_recorded, measure
from cellxai.training.resuming import (
    check_same_images,
    check_same_run,
    is_finished,
    list_differences,
    remove_beginning,
    reopen,
)
from cellxai.training.run_images import load_images
from cellxai.training.run_settings import RunSettings
from cellxai.training.settings import (
    Device,
    TrainingSettings,
    check_launch,
    check_precision,
    choose_device,
    device_name,
)
from cellxai.training.trainer import process_number, train, wait_for_all
from gmm.commandline.trust import classes_in, folders_of_own


@dataclass(frozen=True)
class Fitted(Returned):
    """A trained run.

    Args:
        run: Its folder.
        epochs: Epochs done.
        seconds: Time of the training alone, over all starts.
        device: What it ran on.
        n_faults: Images and rows left out; ``environment.json`` lists them.
        accuracy: Accuracy of the kept checkpoint on the validation images; ``None`` without them.
        notes: What has to be known of the data although nothing is wrong with it.
    """

    run: Path
    epochs: int
    seconds: float
    device: str
    n_faults: int
    accuracy: float | None
    notes: tuple[str, ...] = ()

    def to_frame(self) -> Frame:
        """A row per epoch."""
        return read_frame(self.folder.metrics)

    @property
    def folder(self) -> RunFolder:
        """The run folder, with a name for every file in it."""
        return RunFolder(self.run)

    def load(self, device: Device = "auto") -> TrainedRun:
        """The trained network with its settings, classes and images."""
        return load_run(self.run, device)

    def __str__(self) -> str:
        judged = (
            "no validation part"
            if self.accuracy is None
            else f"validation accuracy {self.accuracy:.3f}"
        )
        faults = f"; {self.n_faults} faulty images or rows left out" if self.n_faults else ""
        cost = f"{self.epochs} epochs in {self.seconds:.0f} s on {self.device}"
        line = f"{self.run}: {cost}; {judged}{faults}"
        return "\n".join([line, *(f"note: {note}" for note in self.notes)])


def fit(
    data: Source,
    run: Path,
    split: SplitSettings = SplitSettings(),
    transforms: Transforms = Transforms(),
    model: ModelSettings = ModelSettings(),
    training: TrainingSettings = TrainingSettings(),
    loading: LoadingSettings = LoadingSettings(),
    seed: int = 0,
) -> Fitted:
    """Trains a classifier on labelled images into a run folder; a killed run continues.

    The same call again continues from the last checkpoint, and does nothing where the run is
    finished. With more ``training.epochs``, or more ``training.early_stopping_patience``, it trains
    further, optimiser and all: with a plateau to the weights of a run that was asked for so many
    epochs from the start. A cosine goes on as that of so many epochs has it, so that the rate first
    rises again. What was found of the earlier weights is set aside.

    The same seed gives the same weights on the same CPU and thread count, however often the run was
    killed and with any number of workers; on CUDA, sums may differ in the last bits.

    Args:
        data: Where the images are; --data.help CLASS lists a reader's options.
        run: Folder of the run; everything lands there.
        split: Which images train, validate, test.
        transforms: What happens to an image before the network.
        model: The network.
        training: How it is trained.
        loading: How the images are kept and brought to the network.
        seed: Seed of the weights, the order and the augmentation.

    Raises:
        ValueError: If the settings do not fit the data, the folder holds another run, another
            process trains into it, or a loss is not a number.
    """
    return fit_run(RunSettings(data, run, split, transforms, model, training, loading, seed))


def fit_run(settings: RunSettings) -> Fitted:
    """Does what :func:`fit` does, with all its arguments in one value."""
    folder, given = RunFolder(settings.run), settings.at_own_size()
    settings = as_recorded(given, folder)
    differences = list_differences(folder, as_config(settings))
    further = check_same_run(folder, differences)
    if is_finished(folder) and not further:
        return read_result(folder)
    if differences and not further:
        settings = given  # what was measured there was of a run that is begun anew
    check_precision(settings.training.precision, choose_device(settings.training.device))
    check_launch(settings.training.devices)
    writes = process_number() == 0  # one of several that train together
    notes: tuple[str, ...] = ()
    with run_lock(folder.root) if writes else nullcontext():
        images, scan = load_images(settings)
        settings = measure(settings, images)
        L.seed_everything(settings.seed, workers=True, verbose=False)
        classifier = new_classifier(settings.model, settings.training, images)
        check_last_batch(classifier, images, settings.training)
        if writes:
            faults, noted = (*scan.faults, *images.faults), (*scan.notes, *note_copies(images))
            data = describe_data(all_readable(images), faults, noted)
            check_same_images(folder, data["fingerprint"])
            notes = clear_folder(folder, settings.training, further, bool(differences))
            write_config(folder.config, vars(settings))
            write_split(folder.split, images.all_records, images.parts)
            write_environment(folder, settings, classifier, images, data)
        train(classifier, images, folder, settings.training)
        if writes:
            curves = folder.root / "curves.png"
            draw_curves(read_csv(folder.metrics), curves, settings.training.monitor)
            write_json(folder.environment, {**read_json(folder.environment), "finished": True})
        wait_for_all()
    result = read_result(folder)
    return replace(result, notes=(*result.notes, *notes))


def clear_folder(
    folder: RunFolder, training: TrainingSettings, further: bool, other: bool
) -> tuple[str, ...]:
    """Removes or sets aside what does not belong to the training to come; returns lines on it.

    Args:
        folder: The run folder.
        training: How the training is to go on.
        further: Whether it goes on after its earlier end.
        other: Whether what is there is of other settings.
    """
    remove_leftovers(folder)
    if further:
        return (*reopen(folder), *note_schedule(training))
    if other:
        remove_beginning(folder)
    return ()


def note_schedule(training: TrainingSettings) -> tuple[str, ...]:
    """What has to be known of the learning rate of a run that is trained further."""
    if training.optimiser.schedule != "cosine":
        return ()
    return (
        f"from here on the learning rate is that of a cosine over {training.epochs} epochs: it "
        "first rises again",
    )


def write_environment(
    folder: RunFolder,
    settings: RunSettings,
    classifier: CellClassifier,
    images: CellImages,
    data: Mapping[str, Any],
) -> None:
    """Writes ``environment.json``: what the run is made with, and that it has been started."""
    seeds = {"seed": settings.seed, "split_seed": settings.split.seed}
    device = device_name(choose_device(settings.training.device))
    environment = describe_environment(seeds, device, count_parameters(classifier))
    starts = [*earlier_starts(folder.environment), describe_start(environment)]
    split = describe_split(images, folder.split)
    cost = {"starts": starts, "seconds": total_seconds(starts)}
    own = {"own_code": folders_of_own(classes_in(folder.config.read_text(encoding="utf-8")))}
    write_json(folder.environment, {**environment, "data": data, "split": split, **cost, **own})


def all_readable(images: CellImages) -> list[Record]:
    """The images of all parts that could be decoded."""
    return [record for part in PARTS for record in images.records(part)]


def new_classifier(
    model: ModelSettings, training: TrainingSettings, images: CellImages
) -> CellClassifier:
    """A classifier for the classes of the data, its starting weights loaded.

    Raises:
        ValueError: If class weights are not of these classes, nothing is there to monitor, or the
            backbone takes other planes than the images have.
    """
    if not has_validation(images) and training.monitor != TrainingSettings().monitor:
        raise ValueError(
            f"training.monitor={training.monitor} needs a validation part; pass a "
            "split.validation_share above 0, or leave it out"
        )
    features = model.backbone.build(load_weights=True)
    check_inputs(features, model, images.transforms)
    return CellClassifier(
        features,
        model.head,
        len(images.classes),
        training.optimiser,
        choose_weights(training.class_weights, images.labels("train"), images.classes),
        monitor=training.monitor if has_validation(images) else "train_loss",
        frozen_statistics=model.frozen_statistics,
        trainable=model.trainable,
        loss=training.loss,
    )


def check_inputs(features: FeatureNetwork, model: ModelSettings, transforms: Transforms) -> None:
    """Refuses a backbone that takes other planes than the images have.

    Raises:
        ValueError: Naming the way out.
    """
    got, expected = len(features.mean), transforms.n_inputs
    if got == expected or (got == 1 and not transforms.plane_names):  # one value for all three
        return
    name = type(model.backbone).__name__
    way = (
        f"give mean and std a value for each of {describe(transforms.planes)}"
        if isinstance(model.backbone, PlaneBackbone)
        else f"make {name} a PlaneBackbone, or let its FeatureNetwork have {expected} means"
    )
    raise ValueError(
        f"model.backbone: {name} takes {count(got)} by its mean, transforms.planes has {expected}; "
        f"{way}"
    )


def has_validation(images: CellImages) -> bool:
    """Whether any image was set aside to choose the epoch."""
    return len(images.records("validation")) > 0


def count_parameters(classifier: CellClassifier) -> int:
    """Trainable numbers of the network."""
    return sum(parameter.numel() for parameter in classifier.parameters())


def read_result(folder: RunFolder) -> Fitted:
    """The result of a finished run, read from its folder."""
    environment, rows = read_json(folder.environment), read_csv(folder.metrics)
    training = read_config(folder.config).get("training") or {}
    best = best_epoch(rows, training.get("monitor", TrainingSettings().monitor))
    return Fitted(
        folder.root, len(rows), environment["seconds"], environment["device"],
        len(environment["data"]["faults"]),
        None if best is None else float(rows[best]["validation_accuracy"]),
        tuple(environment["data"].get("notes", ())),
    )  # fmt: skip
