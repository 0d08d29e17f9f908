"""A scene of stained cells as a value: what lies in which plane, and how it is exposed.

The label decides which of two arrangements the causing stain shows, and is seen by nothing else:
the shapes of the cells, all other planes, exposures and noise are drawn from streams that know the
index alone. Another stain shows one of its own two arrangements by the toss of a coin. So no model
that lacks the causing plane can beat chance, however good it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from cellxai.data.synthetic.anatomy import REAL_HEIGHT, REAL_WIDTH
from cellxai.data.synthetic.fluorescence.structures import (
    CAUSAL_STAINS,
    N_SPECKS,
    STAINS,
    Cell,
    Points,
    Stain,
    draw_cell,
    draw_speck,
    draw_structure,
)

CLASSES = ("control", "treated")
RADIUS = (0.105, 0.14)  # of a cell, in heights of the frame at magnification 1
APART = 1.75  # least distance of two centres, in mean radii: cells touch, and do not lie on another
MARGIN = 0.4  # of the frame that holds no centre, in mean radii
CELLS_PER_AREA = 0.17  # of the cells' squares of two radii, so that a frame is half full
N_TRIES = 40  # places that are tried for a cell before the frame counts as full


class Stream(IntEnum):
    """One random stream per concern, so that taking a part out changes nothing else."""

    CELLS = 0
    EXPOSURE = 1
    COIN = 2
    STRUCTURE = 3  # and the plane
    NOISE = 4  # and the plane
    LIGHT = 5  # and the plane


@dataclass(frozen=True)
class Exposure:
    """How one plane is seen; drawn alike for every class.

    Args:
        blur_px: Standard deviation of the point spread, px.
        haze: Share of the light that comes from out of focus.
        brightness: Factor on all photons of structures: lamp, exposure and dye.
        background: Photons of a px without structure.
    """

    blur_px: float
    haze: float
    brightness: float
    background: float


@dataclass(frozen=True, eq=False)
class StainPart:
    """What can be taken out of a scene: one structure of one cell in one plane, or a speck of dye.

    Args:
        id: From 1, unique in its scene; those of cells come first, as the cells have 1 to n.
        cell: The cell that it belongs to; 0 for a speck.
        plane: Its place among the stains of the scene.
        points: Its fluorophores.
    """

    id: int
    cell: int
    plane: int
    points: Points


@dataclass(frozen=True, eq=False)
class StainScene:
    """Everything that determines an image; ``render_stains`` draws it.

    Args:
        seed: Seed of the data set.
        index: Place of the image in the data set.
        height: Px.
        width: Px.
        label: Name of the class.
        stains: What each plane shows.
        cause: The stain whose arrangement makes the label.
        cells: Their shapes; not touched by removing parts.
        parts: Structures.
        exposures: Of each plane.
    """

    seed: int
    index: int
    height: int
    width: int
    label: str
    stains: tuple[Stain, ...]
    cause: Stain
    cells: tuple[Cell, ...]
    parts: tuple[StainPart, ...]
    exposures: tuple[Exposure, ...]

    @property
    def cause_plane(self) -> int:
        """The place of the causing stain among the planes."""
        return self.stains.index(self.cause)

    def without(self, *part_ids: int) -> "StainScene":
        """The same scene without these parts, which leaves all other planes bit for bit.

        Raises:
            ValueError: If a part is not in the scene.
        """
        known = {part.id for part in self.parts}
        for part_id in part_ids:
            if part_id not in known:
                raise ValueError(f"part {part_id} is not in scene {self.index}")
        return replace(self, parts=tuple(p for p in self.parts if p.id not in part_ids))

    def parts_of_cell(self, cell: int) -> tuple[int, ...]:
        """Ids of all structures of a cell: what a cell takes with it."""
        return tuple(part.id for part in self.parts if part.cell == cell)

    def stream(self, concern: Stream, plane: int = 0) -> np.random.Generator:
        """A fresh generator for one concern of one plane, the same at every call."""
        return _stream(self.seed, self.index, concern, plane)


@dataclass(frozen=True)
class StainSettings:
    """What the scenes of a data set have in common.

    Args:
        height: Px.
        width: Px.
        stains: What each plane shows: 2 to 5 different ones.
        cause: The one whose arrangement makes the label.
        magnification: 2 shows a quarter of the dish, every cell at twice the size.

    Raises:
        ValueError: If the stains are too few, unknown or come twice, or cannot be the cause.
    """

    height: int = REAL_HEIGHT
    width: int = REAL_WIDTH
    stains: tuple[Stain, ...] = STAINS
    cause: Stain = "granules"
    magnification: float = 1.0

    def __post_init__(self) -> None:
        check_stains(self.stains, self.cause)


def check_stains(stains: Sequence[str], cause: str | None) -> None:
    """Raises ``ValueError`` for stains that no scene has, and a cause that is none of them."""
    for stain in stains:
        if stain not in STAINS:
            raise ValueError(f"stains: {stain!r} is none of {', '.join(STAINS)}")
    if not len(stains) >= 2 or len({*stains}) < len(stains):
        raise ValueError(
            f"stains={list(stains)}: expected 2 to {len(STAINS)} different ones of "
            f"{', '.join(STAINS)}"
        )
    able = [stain for stain in stains if stain in CAUSAL_STAINS]
    if cause not in able:
        raise ValueError(f"cause={cause!r}: expected one of the stains that can be: {able}")


def compose_stains(
    seed: int, index: int, settings: StainSettings = StainSettings(), label: str | None = None
) -> StainScene:
    """Scene ``index`` of the data set ``seed``; its class is ``CLASSES[index % 2]``.

    Args:
        seed: From 0.
        index: From 0.
        settings: What all scenes of the data set have in common.
        label: Another class for the same scene: all but the causing plane stays as it is.
    """
    label = CLASSES[index % len(CLASSES)] if label is None else label
    stains = settings.stains
    cells = settle(_stream(seed, index, Stream.CELLS), settings)
    coins = _stream(seed, index, Stream.COIN).random(len(STAINS)) < 0.5
    parts: list[StainPart] = []
    for plane, stain in enumerate(stains):
        place = STAINS.index(stain)
        # By the stain and not by the plane: leaving a stain out leaves the others as they were.
        rng = _stream(seed, index, Stream.STRUCTURE, place)
        treated = label == CLASSES[1] if stain == settings.cause else bool(coins[place])
        clouds = [(cell.id, draw_structure(rng, stain, cell, treated)) for cell in cells]
        if stain == "distractor":
            n_specks = rng.integers(*N_SPECKS, endpoint=True)
            clouds += [
                (0, draw_speck(rng, settings.height, settings.width)) for _ in range(n_specks)
            ]
        parts += [
            StainPart(len(parts) + 1 + i, cell, plane, points)
            for i, (cell, points) in enumerate(clouds)
        ]
    drawn = draw_exposures(_stream(seed, index, Stream.EXPOSURE))
    exposures = tuple(drawn[STAINS.index(stain)] for stain in stains)
    return StainScene(
        seed, index, settings.height, settings.width, label, stains, settings.cause, cells,
        tuple(parts), exposures,
    )  # fmt: skip


def settle(rng: np.random.Generator, settings: StainSettings) -> tuple[Cell, ...]:
    """Cells that touch at most, as many as fill half of the frame."""
    height, width = settings.height, settings.width
    radius = settings.magnification * height * np.array(RADIUS)
    wanted = max(round(CELLS_PER_AREA * height * width / radius.mean() ** 2), 2)
    margin = MARGIN * radius.mean()
    cells: list[Cell] = []
    while len(cells) < wanted:
        places = margin + rng.random((N_TRIES, 2)) * (np.array([width, height]) - 2 * margin)
        near = [
            np.linalg.norm(places - cell.centre, axis=1) < APART * radius.mean() for cell in cells
        ]
        free = places[~np.any(near, axis=0)] if cells else places
        if not len(free):
            break
        cells.append(draw_cell(rng, len(cells) + 1, free[0], rng.uniform(*radius)))
    return tuple(cells)


def draw_exposures(rng: np.random.Generator) -> list[Exposure]:
    """The exposure of each stain."""
    return [
        Exposure(
            blur_px=rng.uniform(0.75, 1.05),
            haze=rng.uniform(0.1, 0.25),
            brightness=rng.uniform(0.7, 1.3),
            background=rng.uniform(7.0, 14.0),
        )
        for _ in STAINS
    ]


def _stream(seed: int, index: int, concern: Stream, place: int = 0) -> np.random.Generator:
    key = (concern, place)
    return np.random.default_rng(np.random.SeedSequence((seed, index), spawn_key=key))
