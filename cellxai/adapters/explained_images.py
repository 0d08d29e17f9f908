"""The images that are explained: which, for which class, what is known of them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.adapters.stain_removal import places_of_planes
from cellxai.data.loading.datamodule import to_batch
from cellxai.data.loading.prepared import check_any_readable, prepare_all
from cellxai.data.readers.unlabelled import find_files, records_of_files
from cellxai.data.records import CauseLoader, Fault, MaskLoader, Record
from cellxai.data.splits import PARTS
from cellxai.trained.run import TrainedRun

OUTSIDE = "outside"  # the part of an image that does not belong to the run


@dataclass(frozen=True)
class Subject:
    """One image to explain.

    Args:
        record: What it is; the label of an image from outside the run is empty.
        part: Which part it belongs to; ``outside`` where it does not belong to the run.
        image: As the network sees it, in [0, 1], on the device of the run.
        logits: What the network answers.
        target: The explained class: the predicted one, right or wrong, unless another is chosen.
        truth: Known regions by name: ``cells`` from masks, ``cause`` where it was planted, [h w] or
            [p h w] by plane.
        rank: The place of the explained class among several of the same image, from 1.
    """

    record: Record
    part: str
    image: Float[Tensor, "1 p h w"]
    logits: Float[Tensor, " k"]
    target: int
    truth: dict[str, Bool[Tensor, "*p h w"]]
    rank: int = 1

    @property
    def name(self) -> str:
        """What its files are called: the id, with the rank of a further class."""
        return self.record.id if self.rank == 1 else f"{self.record.id}__top{self.rank}"

    @property
    def predicted(self) -> int:
        """The class of highest score."""
        return int(self.logits.argmax())

    @property
    def probability(self) -> float:
        """Probability of the predicted class among classes that compete."""
        return float(self.logits.softmax(-1).max())


def choose_subjects(
    trained: TrainedRun,
    part: str | None = None,
    per_class: int | None = None,
) -> list[Subject]:
    """Images of a part with their predicted class.

    They are taken by the order of their ids, never by how well they can be explained.

    Args:
        trained: The run.
        part: Which part; by default the one that influenced the training least.
        per_class: How many of each class, the first by id; ``None`` for all.

    Raises:
        ValueError: If the part has no image, or ``per_class`` is not positive.
    """
    chosen, indices = choose_indices(trained, part, per_class)
    logits, _ = trained.outputs(chosen)
    return [read_subject(trained, chosen, index, logits[index]) for index in indices]


def choose_indices(
    trained: TrainedRun, part: str | None, per_class: int | None
) -> tuple[str, list[int]]:
    """A part, and the indices of the images in it that :func:`choose_subjects` takes.

    Raises:
        ValueError: If the part has no image, or ``per_class`` is not positive.
    """
    chosen = trained.judged_part if part is None else part
    if chosen not in PARTS or not trained.images.records(chosen):
        raise ValueError(
            f"part={chosen!r}: no image there; expected one of {', '.join(trained.parts)}"
        )
    if per_class is not None and per_class < 1:
        raise ValueError(f"images_per_class={per_class}: expected at least 1")
    return chosen, first_of_each_class(trained.images.records(chosen), per_class)


def find_subjects(
    trained: TrainedRun, names: Sequence[str]
) -> tuple[list[Subject], tuple[Fault, ...]]:
    """The images that are named, in this order, and what of them could not be read.

    A name is the id of an image of the run, of any part, or else a file, a folder of images or a
    pattern such as ``photos/*.png``. A file of the run's own is taken as the run knows it, with
    its label and masks, and stands for all of its cells where records are cells; any other is
    prepared like the run's own.

    Raises:
        ValueError: If no image is named, none can be read, or a name is neither an id nor a file;
            the message names the nearest ids.
    """
    files = {name: find_files(name) for name in names}
    by_file: dict[Path, list[str]] = {}
    if all(files.values()) and not has_images(trained):
        known = {}  # they are named by their files, and need none of the run's
    else:
        known = index_by_id(trained)
        for name, (part, index) in known.items():
            file = trained.images.records(part)[index].path.resolve()
            by_file.setdefault(file, []).append(name)
    wanted: dict[str | Path, None] = {}  # in order, each once
    for name in names:
        if name in known:
            wanted[name] = None
            continue
        for path in files[name] or refuse_unknown(trained, name, [*known]):
            wanted |= dict.fromkeys(by_file.get(path.resolve(), [path]))
    if not wanted:
        raise ValueError(
            "images=[] names none; pass ids of the run, files, folders or patterns, or leave it "
            "out for the first of each class"
        )
    strangers, faults = read_outside_subjects(
        trained, [name for name in wanted if isinstance(name, Path)]
    )
    own = {
        name: read_own_subject(trained, *known[name]) for name in wanted if isinstance(name, str)
    }
    readable = own | strangers
    return [readable[name] for name in wanted if name in readable], faults


def has_images(trained: TrainedRun) -> bool:
    """Whether the data set of a run is where it was."""
    try:
        return bool(trained.parts)
    except (OSError, ValueError):
        return False


def index_by_id(trained: TrainedRun) -> dict[str, tuple[str, int]]:
    """Part and index of every readable image of a run by its id."""
    return {
        record.id: (part, index)
        for part in trained.parts
        for index, record in enumerate(trained.images.records(part))
    }


def refuse_unknown(trained: TrainedRun, name: str, known: Sequence[str]) -> NoReturn:
    """Refuses a name that is neither an id nor a file, and names the nearest ids.

    Raises:
        ValueError: Always.
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
    raise ValueError(
        f"images={name!r}: no such file, and {trained.folder.root} has no such image; near it: "
        f"{', '.join(near)}"
    )


def read_own_subject(trained: TrainedRun, part: str, index: int) -> Subject:
    """The image at an index of a part."""
    return read_subject(trained, part, index, trained.outputs(part)[0][index])


def read_outside_subjects(
    trained: TrainedRun, paths: Sequence[Path]
) -> tuple[dict[str | Path, Subject], tuple[Fault, ...]]:
    """Images from outside the run by their file, prepared like its own, and what is unreadable.

    Raises:
        ValueError: If there are files, and none of them can be read.
    """
    if not paths:
        return {}, ()
    taken = [record.id for record in trained.images.all_records] if has_images(trained) else []
    prepared = prepare_all(records_of_files(paths, taken), trained.transforms)
    check_any_readable([prepared])
    images = to_batch(prepared.images, trained.transforms.n_inputs).split(1)
    subjects = {}
    for record, image in zip(prepared.records, images, strict=True):
        with torch.inference_mode():
            logits = trained.classifier(image.to(trained.device))[0].cpu()
        subjects[record.path] = predict_subject(record, OUTSIDE, image.to(trained.device), logits)
    return subjects, prepared.faults


def first_of_each_class(records: tuple[Record, ...], per_class: int | None) -> list[int]:
    """Indices of the first records of each class, in the order of class and id."""
    order = sorted(range(len(records)), key=lambda i: (records[i].label, records[i].id))
    taken: dict[str, int] = {}
    chosen = []
    for index in order:
        label = records[index].label
        taken[label] = taken.get(label, 0) + 1
        if per_class is None or taken[label] <= per_class:
            chosen.append(index)
    return chosen


def read_subject(
    trained: TrainedRun, part: str, index: int, logits: Float[Tensor, " k"]
) -> Subject:
    """One image of a run with its predicted class and known regions."""
    record = trained.images.records(part)[index]
    pixels, regions = trained.pixels(part, index), read_known_regions(trained, record)
    return predict_subject(record, part, pixels, logits, regions)


def predict_subject(
    record: Record,
    part: str,
    image: Float[Tensor, "1 p h w"],
    logits: Float[Tensor, " k"],
    truth: dict[str, Bool[Tensor, "*p h w"]] | None = None,
) -> Subject:
    """An image with the class that its logits predict."""
    return Subject(record, part, image, logits, int(logits.argmax()), truth or {})


def read_known_regions(trained: TrainedRun, record: Record) -> dict[str, Bool[Tensor, "*p h w"]]:
    """``cells`` and ``cause`` of an image, as far as its data set knows them."""
    loaders = {"cells": record.load_mask, "cause": record.load_cause}
    return {name: read_region(trained, load) for name, load in loaders.items() if load is not None}


def read_region(
    trained: TrainedRun, load: MaskLoader | CauseLoader
) -> Bool[Tensor, "*p height width"]:
    """A known region in the geometry of what the network sees; of its planes where it has any."""
    labels, transforms = load(), trained.transforms
    if labels.ndim == 3:
        places = places_of_planes(transforms, labels.shape[2])
        planes = [transforms.prepare_mask(labels[..., place].copy()) for place in places]
        return torch.from_numpy(np.stack(planes) != 0).to(trained.device)
    return torch.from_numpy(transforms.prepare_mask(labels) != 0).to(trained.device)
