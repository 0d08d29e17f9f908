"""Synthetic images as a data set in the Sartorius layout, and the scene of each of them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int32

from cellxai.data.synthetic.cues import CueKind
from cellxai.data.synthetic.folder import (
    check_rendering,
    number_of_image,
    recorded_arguments,
    write_png,
)
from cellxai.data.synthetic.foreign import (
    ForeignKind,
    foreign_region,
    with_foreign,
)
from cellxai.data.synthetic.render import render_scene
from cellxai.data.synthetic.scene import Scene, SceneSettings, compose_scene

RENDERING = 2  # rises when the same seed gives other pixels, so that old folders are noticed
CHUNK = 4  # images handed to a process at once
COMPRESSION = (cv2.IMWRITE_PNG_COMPRESSION, 3)
ID_PREFIX = "synthetic-"

AnnotationRow = dict[str, str | int]


@dataclass(frozen=True)
class Plan:
    """The arguments that determine every byte of a folder, kept in its ``synthesize.json``."""

    n_images: int
    seed: int
    height: int
    width: int
    spoiled: bool
    magnification: float
    cue: CueKind | None = None
    cue_agreement: float | None = None
    foreign: ForeignKind | None = None
    rendering: int = RENDERING

    def scene(self, index: int) -> Scene:
        """The scene of an image of the folder."""
        agreement = 1.0 if self.cue_agreement is None else self.cue_agreement
        settings = SceneSettings(
            self.height, self.width, self.spoiled, self.magnification, self.cue, agreement
        )
        scene = compose_scene(self.seed, index, settings)
        return scene if self.foreign is None else with_foreign(scene, self.foreign)


def scene_of(root: Path, image_id: str) -> Scene:
    """The scene that an image of a folder made by :func:`synthesize` was rendered from.

    Raises:
        FileNotFoundError: If the folder was not made by it.
        ValueError: If it holds no such image, or was made by another version.
    """
    recorded = recorded_arguments(root)
    plan = Plan(**{field.name: recorded.get(field.name) for field in fields(Plan)})
    check_rendering(root, plan.rendering, RENDERING)
    return plan.scene(number_of_image(root, image_id, ID_PREFIX, plan.n_images))


def label_runs(labels: Int32[np.ndarray, "h w"]) -> dict[int, str]:
    """The run-length encoding of every label but 0, as ``encode_rle`` gives it for each mask.

    One pass over the frame finds the runs of all labels, where a call per mask would read the frame
    hundreds of times.
    """
    flat = labels.ravel()
    start = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    length = np.diff(start, append=flat.size)
    order = np.argsort(flat[start], kind="stable")
    pairs = np.stack([start + 1, length], axis=-1)[order]
    present, first = np.unique(flat[start][order], return_index=True)
    runs = np.split(pairs, first[1:])
    return {
        int(label): " ".join(map(str, own.ravel().tolist()))
        for label, own in zip(present, runs, strict=True)
        if label
    }


def map_images(
    write: Callable[[int], list[AnnotationRow]], n_images: int, n_workers: int
) -> Iterator[list[AnnotationRow]]:
    """Rows of every image in order, however many processes make them."""
    if n_workers == 1:
        yield from map(write, range(n_images))
        return
    # Not fork: the child of a process that has used OpenCV or torch can inherit a locked thread
    # pool. One thread in each, or n processes would run n pools of as many threads as cores.
    context = get_context("spawn")
    with ProcessPoolExecutor(
        n_workers, context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(write, range(n_images), chunksize=CHUNK)


def write_image(out: Path, plan: Plan, index: int) -> list[AnnotationRow]:
    """Writes one image with its cause map, and returns its rows of ``train.csv``."""
    scene = plan.scene(index)
    rendered = render_scene(scene)
    image_id = f"{ID_PREFIX}{index:06d}"
    write_png(out / "train" / f"{image_id}.png", rendered.image, COMPRESSION)
    regions = {"causes": rendered.cause, "cues": rendered.cue}
    if plan.foreign is not None:
        regions["foreign"] = foreign_region(scene)
    for folder, region in regions.items():
        if region is not None:
            write_png(out / folder / f"{image_id}.png", region.astype(np.uint8) * 255, COMPRESSION)
    return [
        {
            "id": image_id,
            "annotation": runs,
            "width": plan.width,
            "height": plan.height,
            "cell_type": rendered.label,
            "plate_time": "",
            "sample_date": "",
            "sample_id": "",
            "elapsed_timedelta": "",
        }
        for runs in label_runs(rendered.masks).values()
    ]
