"""The images of a run for the benchmark, and what is known of each before it is explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cellxai.adapters.explained_images import choose_indices, read_known_regions
from cellxai.adapters.removal import Level, known_truth
from cellxai.data.records import Record
from cellxai.explain.base import Model
from cellxai.explain.benchmark import Item
from cellxai.explain.benchmark.items import ImageTruth
from cellxai.trained.run import TrainedRun


@dataclass(frozen=True)
class SceneTruth:
    """What is asked of the scenes that synthetic images were rendered from.

    Each scene is rendered again without each of its parts, which tells by how much the score truly
    falls without it (``parts`` and ``effects``); a planted ``cue`` is known as well. It costs a
    rendering and a forward pass a part, for those images that still lack results.

    Args:
        level: Whether parts are whole ``cells``, or also every process by itself (``parts``).
        at_most: How many parts of an image at most, the largest first.

    Raises:
        ValueError: If there is no such level, or fewer than two parts could be ranked.
    """

    level: Level = "cells"
    at_most: int = 24

    def __post_init__(self) -> None:
        if self.level not in ("cells", "parts"):
            raise ValueError(f"truth.level={self.level!r}: expected 'cells' or 'parts'")
        if self.at_most < 2:
            raise ValueError(f"truth.at_most={self.at_most}: expected at least 2, to be ranked")


class RunItems(Sequence[Item]):
    """Images of a part of a run, the first of each class by id; loaded when asked for, never held.

    The explained class is the predicted one. Known regions are read, and scenes rendered, when an
    image is explained, so that a benchmark that is done finds it out at once.

    Args:
        trained: The run.
        part: Which part; null for the one that had the least influence on the training.
        per_class: How many images of each class, the first by id; null for all.
        scenes: What is asked of the scenes of synthetic images; null for nothing.
        model: What is explained where it is not the run's classifier, such as another score of it.

    Raises:
        ValueError: If the part has no image, or its scenes are not known.
    """

    def __init__(
        self,
        trained: TrainedRun,
        part: str | None = None,
        per_class: int | None = None,
        scenes: SceneTruth | None = None,
        model: Model | None = None,
    ) -> None:
        self.trained = trained
        self.scenes = scenes
        self.model = model or trained.classifier
        self.part, self.indices = choose_indices(trained, part, per_class)
        if scenes is not None:
            scene_root(self._record(0))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Item:
        record, image = self._record(index), self.trained.pixels(self.part, self.indices[index])
        return Item(record.id, image[0], truth=partial(self._known, record))

    def _record(self, index: int) -> Record:
        return self.trained.images.records(self.part)[self.indices[index]]

    def _known(self, record: Record, target: int) -> ImageTruth:
        regions: ImageTruth = read_known_regions(self.trained, record)
        if self.scenes is None:
            return regions
        trained, scenes = self.trained, self.scenes
        return regions | known_truth(
            scene_root(record),
            record.id,
            trained.transforms,
            self.model,
            target,
            scenes.level,
            scenes.at_most,
            device=trained.device,
        )


def scene_root(record: Record) -> Path:
    """The folder that ``cellxai synthesize`` wrote an image into.

    Raises:
        ValueError: If it was another that wrote it.
    """
    if record.load_image is not None:
        raise ValueError(
            f"truth: {record.id} is a part of an image, and scenes are known of whole ones; pass "
            "truth=null"
        )
    root = record.path.parent.parent
    if not (root / "synthesize.json").is_file():
        raise ValueError(
            f"truth: {record.path} was not rendered by `cellxai synthesize`, so its scene is not "
            "known; pass truth=null"
        )
    return root
