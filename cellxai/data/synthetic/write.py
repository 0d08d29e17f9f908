"""Writes synthetic images as a data set in the Sartorius layout."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int32, UInt8

from cellxai.data.synthetic.anatomy import REAL_HEIGHT, REAL_WIDTH
from cellxai.data.synthetic.cues import CUE_KINDS, CueKind
from cellxai.data.synthetic.foreign import (
    FOREIGN_KINDS,
    ForeignKind,
    foreign_region,
    with_foreign,
)
from cellxai.data.synthetic.render import render_scene
from cellxai.data.synthetic.scene import CLASSES, Scene, compose_scene
from cellxai.runfolder import atomic, write_csv, write_json

LEAST_SIDE_PX = 64  # a cell of a smaller frame is a few pixels, and no class is to be seen
RENDERING = 2  # rises when the same seed gives other pixels, so that old folders are noticed
CHUNK = 4  # images handed to a process at once
PNG_LEVEL = 3
ID_PREFIX = "synthetic-"

Row = dict[str, str | int]


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
        frame = (self.height, self.width, self.spoiled, self.magnification)
        agreement = 1.0 if self.cue_agreement is None else self.cue_agreement
        scene = compose_scene(self.seed, index, *frame, self.cue, agreement)
        return scene if self.foreign is None else with_foreign(scene, self.foreign)


@dataclass(frozen=True)
class Synthesized:
    """What ``synthesize`` made.

    Args:
        root: The folder, to be read as ``cellxai.data.sartorius.Sartorius``.
        n_images: Per class.
        seconds: Wall-clock time; 0 where the folder was there already.
    """

    root: Path
    n_images: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {label}" for label, n in self.n_images.items())
        if not self.seconds:
            return f"{self.root}: {counts}, as made before"
        return f"{self.root}: {counts}, in {self.seconds:.1f} s"


def synthesize(
    out: Path,
    n_images: int = 240,
    seed: int = 0,
    height: int = REAL_HEIGHT,
    width: int = REAL_WIDTH,
    spoiled: bool = False,
    magnification: float = 1.0,
    cue: CueKind | None = None,
    cue_agreement: float = 1.0,
    foreign: ForeignKind | None = None,
    n_workers: int = 1,
) -> Synthesized:
    """Renders synthetic phase-contrast cells in the Sartorius layout.

    Writes ``train/*.png``, ``train.csv`` with one mask per cell, and ``causes/*.png``, white on the
    pixels that make the class; with a ``cue``, also ``cues/*.png``, white on it, and with something
    ``foreign``, ``foreign/*.png``. The same arguments give the same bytes, whatever ``n_workers``.
    A folder that is complete is left as it is; an interrupted one is made anew. A script that
    passes ``n_workers`` above 1 needs the usual ``if __name__ == "__main__":``.

    Args:
        out: Folder to write to.
        n_images: Images in all, shared equally by the three classes.
        seed: Of everything random, from 0.
        height: Of the images, px; cells scale with it.
        width: Of the images, px.
        spoiled: The same cells as no microscopist would keep them: far out of focus, under a fibre
            and a bubble. For showing what a density flags.
        magnification: 2 shows a quarter of the dish, every cell at twice the size.
        cue: A shortcut to plant beside the cells: a ``scale bar`` whose length tells the class, a
            ``corner tag`` of as many squares, or a ``tint`` from one side; null for none.
        cue_agreement: Probability that the cue tells the image's own class; a third tells nothing.
        foreign: One object in each image that no dish has: a ``fibre``, a ``bubble``, a flake of
            ``dust`` or a ``crystal``; null for none.
        n_workers: Processes that render.

    Raises:
        ValueError: If an argument is out of range, or ``out`` holds other data.
    """
    agreement = None if cue is None else cue_agreement
    frame = (height, width, spoiled, magnification)
    plan = Plan(n_images, seed, *frame, cue, agreement, foreign)
    _check(plan, n_workers)
    counts = {label: len(range(k, n_images, len(CLASSES))) for k, label in enumerate(CLASSES)}
    if _is_complete(out, plan):
        return Synthesized(out, counts, 0.0)
    start = time.perf_counter()
    write_json(out / "synthesize.json", asdict(plan) | {"complete": False})
    images = _map(partial(_write_image, out, plan), n_images, n_workers)
    write_csv(out / "train.csv", [row for rows in images for row in rows])
    write_json(out / "synthesize.json", asdict(plan) | {"complete": True})
    return Synthesized(out, counts, time.perf_counter() - start)


def scene_of(root: Path, image_id: str) -> Scene:
    """The scene that an image of a folder made by :func:`synthesize` was rendered from.

    Raises:
        FileNotFoundError: If the folder was not made by it.
        ValueError: If it holds no such image, or was made by another version.
    """
    record = root / "synthesize.json"
    if not record.is_file():
        raise FileNotFoundError(f"{record}: no such file, expected a folder made by `synthesize`")
    found = json.loads(record.read_text(encoding="utf-8"))
    plan = Plan(**{field.name: found.get(field.name) for field in fields(Plan)})
    if plan.rendering != RENDERING:
        raise ValueError(
            f"{root} was rendered by version {plan.rendering}, expected {RENDERING}; make it anew"
        )
    number = image_id.removeprefix(ID_PREFIX)
    if not number.isdecimal() or int(number) >= plan.n_images:
        raise ValueError(f"{root} holds no image {image_id!r}, expected {ID_PREFIX}000000 and on")
    return plan.scene(int(number))


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


def _check(plan: Plan, n_workers: int) -> None:
    if not plan.magnification > 0:
        raise ValueError(f"magnification={plan.magnification}, expected a number above 0")
    if plan.cue not in (None, *CUE_KINDS):
        raise ValueError(f"cue={plan.cue!r}, expected one of {', '.join(CUE_KINDS)}, or none")
    if plan.foreign not in (None, *FOREIGN_KINDS):
        raise ValueError(
            f"foreign={plan.foreign!r}, expected one of {', '.join(FOREIGN_KINDS)}, or none"
        )
    if not 0 <= (plan.cue_agreement or 0) <= 1:
        raise ValueError(f"cue_agreement={plan.cue_agreement}, expected a probability in 0…1")
    least = {"n_images": len(CLASSES), "seed": 0, "height": LEAST_SIDE_PX, "width": LEAST_SIDE_PX}
    given = asdict(plan) | {"n_workers": n_workers}
    for name, lowest in (least | {"n_workers": 1}).items():
        if given[name] < lowest:
            raise ValueError(f"{name}={given[name]}, expected at least {lowest}")


def _is_complete(out: Path, plan: Plan) -> bool:
    """Whether ``out`` holds what ``plan`` asks for; anything else in it is not written over."""
    record = out / "synthesize.json"
    if not record.exists():
        if out.is_dir() and any(out.iterdir()):
            raise ValueError(f"{out} holds other files; name a new or an empty folder as out")
        return False
    found = json.loads(record.read_text(encoding="utf-8"))
    for name, value in asdict(plan).items():
        if found.get(name) != value:
            raise ValueError(
                f"{out} was made with {name}={found.get(name)}, got {name}={value}; "
                f"name another folder as out, or delete this one"
            )
    return found.get("complete") is True and (out / "train.csv").is_file()


def _map(write: Callable[[int], list[Row]], n_images: int, n_workers: int) -> Iterator[list[Row]]:
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


def _write_image(out: Path, plan: Plan, index: int) -> list[Row]:
    """Writes one image with its cause map, and returns its rows of ``train.csv``."""
    scene = plan.scene(index)
    rendered = render_scene(scene)
    image_id = f"{ID_PREFIX}{index:06d}"
    _write_png(out / "train" / f"{image_id}.png", rendered.image)
    _write_png(out / "causes" / f"{image_id}.png", rendered.cause.astype(np.uint8) * 255)
    if rendered.cue is not None:
        _write_png(out / "cues" / f"{image_id}.png", rendered.cue.astype(np.uint8) * 255)
    if plan.foreign is not None:
        _write_png(
            out / "foreign" / f"{image_id}.png", foreign_region(scene).astype(np.uint8) * 255
        )
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


def _write_png(path: Path, image: UInt8[np.ndarray, "h w"]) -> None:
    encoded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])[1]
    with atomic(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
