"""The images of a trained run that are explained: which, for which class, what is known."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cellxai.data.records import MaskLoader, Record
from cellxai.data.splits import PARTS
from cellxai.training.trained import TrainedRun


@dataclass(frozen=True)
class Subject:
    """One image to explain.

    Args:
        record: What it is.
        part: Which part it belongs to.
        image: As the network sees it, in [0, 1], on the device of the run.
        target: The explained class: the predicted one, right or wrong.
        probability: Of the predicted class.
        truth: Known regions by name: ``cells`` from masks, ``cause`` where it was planted.
    """

    record: Record
    part: str
    image: Float[Tensor, "1 3 h w"]
    target: int
    probability: float
    truth: dict[str, Bool[Tensor, "h w"]]


def subjects(
    trained: TrainedRun,
    part: str | None = None,
    per_class: int | None = None,
    ids: Sequence[str] | None = None,
) -> list[Subject]:
    """Images of a part with their predicted class.

    They are taken by the order of their ids, never by how well they can be explained.

    Args:
        trained: The run.
        part: Which part; by default the one that had least say in the training.
        per_class: The first so many of each class; ``None`` for all.
        ids: These images, of any part, instead.

    Raises:
        ValueError: If the part has no image, ``per_class`` is not positive, or an id is unknown.
    """
    if ids is not None:
        return [named_subject(trained, name) for name in ids]
    chosen = trained.judged_part if part is None else part
    if chosen not in PARTS or not trained.images.records(chosen):
        raise ValueError(
            f"part={chosen!r}: no image there; expected one of {', '.join(trained.parts)}"
        )
    if per_class is not None and per_class < 1:
        raise ValueError(f"images_per_class={per_class}: expected at least 1")
    logits, _ = trained.outputs(chosen)
    indices = first_of_each_class(trained.images.records(chosen), per_class)
    return [subject(trained, chosen, index, logits[index]) for index in indices]


def named_subject(trained: TrainedRun, name: str) -> Subject:
    """The image of an id.

    Raises:
        ValueError: If no part has a readable one; names the nearest ids.
    """
    known = {
        record.id: (part, index)
        for part in trained.parts
        for index, record in enumerate(trained.images.records(part))
    }
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.0)
        raise ValueError(
            f"images={name!r}: {trained.folder.root} has no such image; near it: {', '.join(near)}"
        )
    part, index = known[name]
    return subject(trained, part, index, trained.outputs(part)[0][index])


def first_of_each_class(records: tuple[Record, ...], per_class: int | None) -> list[int]:
    """Places of the first records of each class, in the order of class and id."""
    order = sorted(range(len(records)), key=lambda i: (records[i].label, records[i].id))
    taken: dict[str, int] = {}
    chosen = []
    for index in order:
        label = records[index].label
        taken[label] = taken.get(label, 0) + 1
        if per_class is None or taken[label] <= per_class:
            chosen.append(index)
    return chosen


def subject(trained: TrainedRun, part: str, index: int, logits: Float[Tensor, " k"]) -> Subject:
    """One image with its predicted class and known regions."""
    record = trained.images.records(part)[index]
    loaders = {"cells": record.load_mask, "cause": record.load_cause}
    return Subject(
        record, part, trained.pixels(part, index), int(logits.argmax()),
        float(logits.softmax(-1).max()),
        {name: region(trained, load) for name, load in loaders.items() if load is not None},
    )  # fmt: skip


def region(trained: TrainedRun, load: MaskLoader) -> Bool[Tensor, "h w"]:
    """A known region in the geometry of what the network sees."""
    labels = trained.transforms.prepare_mask(load())
    return torch.from_numpy(labels != 0).to(trained.device)
