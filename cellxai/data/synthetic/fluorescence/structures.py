"""What stained cells hold: clouds of fluorophores, of which a plane of the image shows one kind.

Each structure is points with the photons that they send in one exposure. A point that is an area's
or a line's share of light lies close enough to the next that the microscope cannot part them. Each
kind has two arrangements of the same amount of light: only how it lies tells them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float

from cellxai.data.synthetic.parts import blob, paths, rotate

Stain = Literal["nucleus", "membrane", "granules", "filaments", "distractor"]
STAINS: tuple[Stain, ...] = get_args(Stain)
#: Stains whose arrangement can make the label; the distractor has one arrangement only.
CAUSAL_STAINS: tuple[Stain, ...] = STAINS[:4]

Points = Float[np.ndarray, "n 3"]
"""Places (x, y) in px and photons of each."""

N_CORNERS = 48
GRID_PX = 0.5  # between points of an area: finer than what any lens parts
STEP_PX = 0.35  # between points of a line
NUCLEUS_SHARE = 0.5  # of the cell's radius
NUCLEUS_PHOTONS = 110.0  # of a px
MEMBRANE_PHOTONS = 150.0  # of a px of the outline
N_ARCS, ARC_SHARE = 3, 0.42  # into how many pieces a capped membrane gathers, and how much of it
N_GRANULES = (16, 24)
GRANULE_PHOTONS = 480.0
SECTOR = 0.75  # rad: half the angle that gathered granules lie in
N_FILAMENTS, FILAMENT_PHOTONS = 11, 150.0
CYTOPLASM_PHOTONS = 20.0
N_SPECKS, SPECK_PHOTONS = (5, 11), 1500.0


@dataclass(frozen=True, eq=False)
class Cell:
    """The shape of a cell, which all stains share.

    Args:
        id: From 1.
        centre: Where it lies (x, y), px.
        radius: Mean radius, px.
        angle: Direction of its long axis, rad.
        outline: Closed corners (x, y), px.
    """

    id: int
    centre: Float[np.ndarray, " 2"]
    radius: float
    angle: float
    outline: Float[np.ndarray, "p 2"]


def draw_cell(
    rng: np.random.Generator, number: int, centre: Float[np.ndarray, " 2"], radius: float
) -> Cell:
    """A roundish cell whose long axis is up to half longer than its short one."""
    longer = np.sqrt(rng.uniform(1.0, 1.5))
    angle = rng.uniform(0, np.pi)
    shape = blob(rng, np.array([radius]), N_CORNERS, 0.05) * [longer, 1 / longer]
    outline = rotate(shape, np.array([angle]))[0] + centre
    return Cell(number, centre, radius, angle, outline)


def draw_structure(rng: np.random.Generator, stain: Stain, cell: Cell, treated: bool) -> Points:
    """What a cell holds of a stain, in one of its two arrangements."""
    return STRUCTURES[stain](rng, cell, treated)


def draw_nucleus(rng: np.random.Generator, cell: Cell, treated: bool) -> Points:
    """One oval nucleus, or as much of it in four to six round fragments."""
    radius = NUCLEUS_SHARE * cell.radius
    n = int(rng.integers(4, 7)) if treated else 1
    sizes = rng.dirichlet(np.full(n, 12.0))
    turn = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(n) / n + rng.normal(0, 0.2, n)
    away = (0.62 * cell.radius * rng.uniform(0.75, 1.1, n)) if treated else np.zeros(n)
    centres = cell.centre + away[:, None] * np.stack([np.cos(turn), np.sin(turn)], -1)
    outlines = blob(rng, radius * np.sqrt(sizes), N_CORNERS, 0.04)
    if not treated:
        outlines = rotate(outlines * [1.15, 1 / 1.15], np.array([cell.angle]))
    photons = NUCLEUS_PHOTONS * np.pi * radius**2 * sizes
    pairs = zip(outlines + centres[:, None], photons, strict=True)
    return np.concatenate([fill_area(outline, light) for outline, light in pairs])


def draw_membrane(rng: np.random.Generator, cell: Cell, treated: bool) -> Points:
    """The whole outline alike, or all of its light in three arcs of it."""
    line = walk_along(np.concatenate([cell.outline, cell.outline[:1]]))
    photons = np.ones(len(line))
    if treated:
        turn = np.linspace(0, 1, len(line), endpoint=False) + rng.random()
        photons = ((turn * N_ARCS) % 1 < ARC_SHARE).astype(float)
    return with_light(line, photons, MEMBRANE_PHOTONS * len(line) * STEP_PX)


def draw_granules(rng: np.random.Generator, cell: Cell, treated: bool) -> Points:
    """As many spots, scattered about the nucleus, or gathered on one side of it."""
    n = int(rng.integers(*N_GRANULES, endpoint=True))
    turn = rng.uniform(0, 2 * np.pi, n)
    away = np.sqrt(rng.uniform(0.35**2, 0.9**2, n))
    if treated:
        turn = rng.uniform(0, 2 * np.pi) + rng.uniform(-SECTOR, SECTOR, n)
        away = np.sqrt(rng.uniform(0.4**2, 0.75**2, n))
    rays = np.stack([np.cos(turn), np.sin(turn)], -1)
    light = rng.gamma(8.0, 1 / 8.0, n)
    return with_light(cell.centre + cell.radius * away[:, None] * rays, light, GRANULE_PHOTONS * n)


def draw_filaments(rng: np.random.Generator, cell: Cell, treated: bool) -> Points:
    """Fibres that leave the nucleus like rays, or as many side by side along the cell."""
    length = np.full(N_FILAMENTS, 0.62 * cell.radius)
    turn = 2 * np.pi * (np.arange(N_FILAMENTS) + rng.uniform(-0.3, 0.3, N_FILAMENTS)) / N_FILAMENTS
    start = cell.centre + 0.28 * cell.radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    if treated:
        aside = np.linspace(-0.7, 0.7, N_FILAMENTS) * cell.radius
        along = np.sqrt(np.maximum(0.8 * cell.radius**2 - aside**2, 0))
        turn = np.full(N_FILAMENTS, rng.uniform(0, np.pi))
        ends = np.stack([-along, aside], -1)
        start = cell.centre + rotate(ends[None], turn[:1])[0]
        length = 2 * along
    fibres = [walk_along(path) for path in paths(rng, start, turn, length, 0.06, 8)]
    points = np.concatenate(fibres)
    return with_light(
        points, np.ones(len(points)), FILAMENT_PHOTONS * N_FILAMENTS * 0.62 * cell.radius
    )


def draw_cytoplasm(rng: np.random.Generator, cell: Cell, treated: bool) -> Points:
    """The faint glow of a whole cell; it has one arrangement."""
    light = CYTOPLASM_PHOTONS * rng.uniform(0.4, 1.6)
    return fill_area(cell.outline, light * float(cv2.contourArea(cell.outline.astype(np.float32))))


def draw_speck(rng: np.random.Generator, height: int, width: int) -> Points:
    """A bright grain of dye anywhere: a few spots close together."""
    n = int(rng.integers(2, 7))
    centre = rng.uniform(0, 1, 2) * [width, height]
    light = rng.gamma(3.0, 1 / 3.0, n)
    return with_light(centre + rng.normal(0, 1.3, (n, 2)), light, SPECK_PHOTONS)


STRUCTURES: dict[Stain, Callable[[np.random.Generator, Cell, bool], Points]] = {
    "nucleus": draw_nucleus,
    "membrane": draw_membrane,
    "granules": draw_granules,
    "filaments": draw_filaments,
    "distractor": draw_cytoplasm,
}


def with_light(
    places: Float[np.ndarray, "n 2"], weights: Float[np.ndarray, " n"], photons: float
) -> Points:
    """Points that send so many photons together, in proportion to their weights."""
    return np.concatenate([places, (photons * weights / weights.sum())[:, None]], -1)


def fill_area(outline: Float[np.ndarray, "p 2"], photons: float) -> Points:
    """Points all over an area, alike."""
    low, high = np.floor(outline.min(0)), np.ceil(outline.max(0))
    x, y = np.meshgrid(*(np.arange(a, b, GRID_PX) for a, b in zip(low, high, strict=True)))
    grid = np.stack([x.ravel(), y.ravel()], -1)
    corners = ((outline - low) / GRID_PX).round().astype(np.int32)
    inside = np.zeros(x.shape, np.uint8)
    cv2.fillPoly(inside, [corners], 1)
    return with_light(grid[inside.ravel() > 0], np.ones(int(inside.sum())), photons)


def walk_along(line: Float[np.ndarray, "s 2"]) -> Float[np.ndarray, "n 2"]:
    """Points at even steps along a line through corners."""
    moves = np.linalg.norm(np.diff(line, axis=0), axis=1)
    at = np.concatenate([[0], moves.cumsum()])
    steps = np.linspace(0, at[-1], max(round(at[-1] / STEP_PX), 2))
    return np.stack([np.interp(steps, at, line[:, axis]) for axis in (0, 1)], -1)
