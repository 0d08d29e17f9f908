"""What lies about in every dish whatever grows in it, and what spoils an acquisition."""

import numpy as np
from jaxtyping import Float

from cellxai.data.synthetic.anatomy import Frame
from cellxai.data.synthetic.parts import Part, Shape, blob, paths, pen_correction, ribbons, shapes

# Per real frame, the same for every class: debris must say nothing about the label.
N_SPECKS = (10, 120)
N_FLOATERS = (3, 30)
N_CLUMPS = (0, 2)
CLUMP_SIZE = (4, 12)
REMNANT_PROBABILITY = 0.1  # a dead cell that lies flat and dark in the focal plane


def scatter_debris(rng: np.random.Generator, frame: Frame, first_id: int) -> tuple[Part, ...]:
    """Specks, floating round cells, clumps of them and now and then a flat dead cell."""
    scale = frame.scale
    specks, floaters, clumps = (
        _anywhere(rng, count, frame, frame.seen_share) for count in (N_SPECKS, N_FLOATERS, N_CLUMPS)
    )
    groups = [
        *((speck,) for speck in _specks(rng, specks, scale)),
        *_floaters(rng, floaters, scale),
        *(_clump(rng, at, scale) for at in clumps),
    ]
    if rng.random() < REMNANT_PROBABILITY:
        groups.append(_remnant(rng, _anywhere(rng, (1, 1), frame)[0], scale))
    return tuple(Part(first_id + i, "debris", 0, shapes) for i, shapes in enumerate(groups))


def scatter_foreign(rng: np.random.Generator, frame: Frame, first_id: int) -> tuple[Part, ...]:
    """A fibre across the frame and an air bubble: what no training image has."""
    return (
        Part(first_id, "foreign", 0, _fibre(rng, frame)),
        Part(first_id + 1, "foreign", 0, _bubble(rng, frame)),
    )


def _anywhere(
    rng: np.random.Generator, count: tuple[int, int], frame: Frame, share: float = 1.0
) -> Float[np.ndarray, "n 2"]:
    """Points (x, y); clean dishes are common, dirty ones rare."""
    n = round(share * (count[0] + (count[1] - count[0]) * rng.random() ** 2))
    return rng.uniform(0, 1, (n, 2)) * (frame.width, frame.height)


def _specks(rng: np.random.Generator, at: Float[np.ndarray, "n 2"], scale: float) -> list[Shape]:
    radius = scale * rng.uniform(0.6, 1.7, len(at))
    outline = blob(rng, radius, 8, 0.2) + at[:, None]
    thickness = rng.uniform(25, 90, len(at)) * pen_correction(2 * radius, scale)
    return shapes(outline, thickness)


def _floaters(
    rng: np.random.Generator, at: Float[np.ndarray, "n 2"], scale: float
) -> list[tuple[Shape, ...]]:
    """Round cells above the focal plane: a dark wall about a bright heart, as a lens gathers."""
    radius = scale * (2 + 4.5 * rng.random(len(at)) ** 2)
    wall = blob(rng, radius, 16, 0.1) + at[:, None]
    inside = at + rng.normal(0, 0.15, at.shape) * radius[:, None]
    heart = blob(rng, radius * rng.uniform(0.35, 0.65, len(at)), 12, 0.2) + inside[:, None]
    dark, bright = rng.uniform(60, 130, len(at)), rng.uniform(-80, 30, len(at))
    return list(zip(shapes(wall, dark), shapes(heart, bright), strict=True))


def _clump(rng: np.random.Generator, at: Float[np.ndarray, "2"], scale: float) -> tuple[Shape, ...]:
    n = int(rng.integers(*CLUMP_SIZE, endpoint=True))
    around = at + rng.normal(0, 2.6 * np.sqrt(n) * scale, (n, 2))
    return tuple(part for group in _floaters(rng, around, 0.85 * scale) for part in group)


def _remnant(
    rng: np.random.Generator, at: Float[np.ndarray, "2"], scale: float
) -> tuple[Shape, ...]:
    radius = np.array([scale * rng.uniform(8, 15)])
    outline = at + blob(rng, radius, 24, 0.22) * rng.uniform(0.7, 1.3, 2)
    return tuple(shapes(outline, rng.uniform(70, 120, 1)))


def _fibre(rng: np.random.Generator, frame: Frame) -> tuple[Shape, ...]:
    start = np.array([[0.0, rng.uniform(0.2, 0.8) * frame.height]])
    course = paths(rng, start, rng.normal(0, 0.3, 1), np.array([1.3 * frame.width]), 0.12, 40)
    broad = np.full(course.shape[:2], rng.uniform(9, 14) * frame.scale)
    outlines = np.concatenate([ribbons(course, broad), ribbons(course, 0.5 * broad)])
    return tuple(shapes(outlines, np.array([120.0, -80.0])))


def _bubble(rng: np.random.Generator, frame: Frame) -> tuple[Shape, ...]:
    at = rng.uniform(0.2, 0.8, 2) * (frame.width, frame.height)
    # From outside: a dark wall, the bright ring of the light that it bends, a second wall, air.
    radius = frame.scale * (rng.uniform(60, 110) - np.array([0.0, 7.0, 11.0, 14.0]))
    thickness = np.array([150.0, -80.0, 60.0, 0.0])
    return tuple(shapes(at + blob(rng, radius, 90, 0.0), thickness))
