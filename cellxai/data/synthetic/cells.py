"""Grows the cells of a scene from the anatomy of their class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from cellxai.data.synthetic.anatomy import Anatomy, Frame
from cellxai.data.synthetic.parts import (
    Kind,
    Part,
    Shape,
    blob,
    paths,
    pen_correction,
    ribbons,
    rotate,
    shapes,
)

N_CORNERS = 32
N_STEPS = 9
EDGE, EDGE_SHARE = 0.15, 0.25  # width and strength of the light that steep edges bend outwards
BUMP_DECAY = 3.2  # per rad: how fast a body falls back beside a corner drawn out to a process
TWIG_SHARE = 0.5  # length and width of a twig, relative to the process that it leaves


@dataclass(frozen=True, eq=False)
class Bodies:
    """The cell bodies of one image, in px of its frame; ``n`` cells of at most ``m`` processes.

    Args:
        centre: Where they lie (x, y).
        radius: Before they are drawn out.
        squeeze: Stretch along the two axes, of product 1.
        angle: Direction of the long axis, rad.
        count: How many processes each has.
        outline: Closed corners (x, y) in the frame.
        roots: Where processes leave, from the centre; only the first ``count`` are used.
        thickness: Optical, grey levels.
    """

    centre: Float[np.ndarray, "n 2"]
    radius: Float[np.ndarray, " n"]
    squeeze: Float[np.ndarray, "n 1 2"]
    angle: Float[np.ndarray, " n"]
    count: Int[np.ndarray, " n"]
    outline: Float[np.ndarray, "n p 2"]
    roots: Float[np.ndarray, "n m 2"]
    thickness: Float[np.ndarray, " n"]


def grow_cells(anatomy: Anatomy, rng: np.random.Generator, frame: Frame) -> tuple[Part, ...]:
    """The cells of one image: each body under its own processes."""
    centre, radius = _settle(anatomy, rng, frame)
    bodies = _bodies(anatomy, rng, centre, radius, _orientation(rng, centre / frame.scale))
    owner, limbs = _limbs(anatomy, rng, bodies, frame.scale)
    return tuple(_assemble(anatomy.process_kind, owner, limbs, _interiors(rng, bodies)))


def _settle(
    anatomy: Anatomy, rng: np.random.Generator, frame: Frame
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Centres (x, y) and radii: colonies on a jittered grid, cells in them like sunflower seeds."""
    n_colonies = max(1, round(rng.uniform(*anatomy.colonies) * frame.seen_share))
    sizes = rng.integers(*anatomy.cells, size=n_colonies, endpoint=True)
    colony = np.repeat(_spread(rng, n_colonies, frame), sizes, axis=0)
    radius = rng.uniform(*anatomy.radius, len(colony)) * frame.scale
    rank = np.concatenate([np.arange(size) for size in sizes])
    turn = np.repeat(rng.uniform(0, 2 * np.pi, n_colonies), sizes) + 2.4 * rank
    away = anatomy.spacing * np.mean(anatomy.radius) * frame.scale * np.sqrt(rank)
    away = away * rng.uniform(0.85, 1.15, len(away))
    return colony + away[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=-1), radius


def _spread(rng: np.random.Generator, n: int, frame: Frame) -> Float[np.ndarray, "n 2"]:
    """Points (x, y) all over the frame, one in each chosen field of a grid of about ``n``."""
    rows = max(1, round(np.sqrt(n * frame.height / frame.width)))
    columns = -(-n // rows)
    field = rng.permutation(rows * columns)[:n]
    jitter = rng.uniform(0.02, 0.98, (n, 2))
    return (np.stack([field % columns, field // columns], -1) + jitter) * (
        np.array([frame.width, frame.height]) / (columns, rows)
    )


def _orientation(rng: np.random.Generator, at: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
    """Long axes, rad: neighbours lie much alike, as cells in a dish align with each other."""
    wave = rng.normal(0, 1 / 90, (2, 2))
    phase = rng.uniform(0, 2 * np.pi, 3)
    field = np.sin(at @ wave + phase[:2]).sum(axis=-1)
    return phase[2] + 0.9 * field + rng.normal(0, 0.45, len(at))


def _bodies(
    anatomy: Anatomy,
    rng: np.random.Generator,
    centre: Float[np.ndarray, "n 2"],
    radius: Float[np.ndarray, " n"],
    angle: Float[np.ndarray, " n"],
) -> Bodies:
    """Bodies whose corners are drawn out to where their processes leave."""
    n, most = len(radius), anatomy.processes[1]
    count = rng.integers(*anatomy.processes, size=n, endpoint=True)
    slot = np.arange(most)
    towards = 2 * np.pi * slot / count[:, None] + rng.normal(0, 0.35, (n, most))
    pull = rng.uniform(*anatomy.drawn_out, (n, most)) * (slot < count[:, None])
    outline = blob(rng, radius, N_CORNERS, 0.05) * _bulge(towards, pull)[..., None]
    rays = np.stack([np.cos(towards), np.sin(towards)], axis=-1)
    roots = (radius[:, None] * (1 + 0.6 * pull))[..., None] * rays
    longer = np.sqrt(rng.uniform(*anatomy.elongation, n))
    squeeze = np.stack([longer, 1 / longer], axis=-1)[:, None]
    return Bodies(
        centre=centre,
        radius=radius,
        squeeze=squeeze,
        angle=angle,
        count=count,
        outline=rotate(outline * squeeze, angle) + centre[:, None],
        roots=rotate(roots * squeeze, angle),
        thickness=rng.uniform(*anatomy.thickness, n),
    )


def _bulge(
    towards: Float[np.ndarray, "n m"], pull: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "n p"]:
    """Factors on the radius that pull an outline out by ``pull`` in the directions ``towards``."""
    theta = np.linspace(0, 2 * np.pi, N_CORNERS, endpoint=False)
    apart = np.abs((theta - towards[..., None] + np.pi) % (2 * np.pi) - np.pi)
    # Exponential, not Gaussian: flanks between two corners are hollow, as of a stretched skin.
    return 0.8 + (pull[..., None] * np.exp(-BUMP_DECAY * apart)).max(1)


def _limbs(
    anatomy: Anatomy, rng: np.random.Generator, bodies: Bodies, scale: float
) -> tuple[Int[np.ndarray, " q"], list[tuple[Shape, ...]]]:
    """Every process of every cell, and the index of the cell that it grows from."""
    owner, slot = np.nonzero(np.arange(bodies.roots.shape[1]) < bodies.count[:, None])
    root = bodies.roots[owner, slot]
    # Squared: most processes are short, a few cross a good part of the frame.
    least, most = anatomy.length
    length = (least + (most - least) * rng.random(len(owner)) ** 2) * scale
    base = rng.uniform(*anatomy.width, len(owner)) * scale
    level = bodies.thickness[owner] * rng.uniform(*anatomy.limb_share, len(owner))
    level *= pen_correction(base, scale)
    heading = np.arctan2(root[:, 1], root[:, 0])
    start = bodies.centre[owner] + 0.95 * root
    stem = paths(rng, start, heading, length, anatomy.wander, N_STEPS)
    stems = shapes(ribbons(stem, _taper(rng, base, anatomy.tip)), level)
    limbs: list[tuple[Shape, ...]] = [(shape,) for shape in stems]
    forked = np.flatnonzero(rng.random(len(owner)) < anatomy.branching)
    twigs = _twigs(anatomy, rng, stem[forked], TWIG_SHARE * length[forked])
    twigs = ribbons(twigs, _taper(rng, TWIG_SHARE * base[forked], anatomy.tip))
    for index, twig in zip(forked.tolist(), shapes(twigs, 0.8 * level[forked]), strict=True):
        limbs[index] += (twig,)
    return owner, limbs


def _twigs(
    anatomy: Anatomy,
    rng: np.random.Generator,
    stem: Float[np.ndarray, "n s 2"],
    length: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "n s 2"]:
    """One branch of each process, off its outer half to one side."""
    every = np.arange(len(stem))
    fork = rng.integers(3, 7, len(stem))
    ahead = stem[every, fork + 1] - stem[every, fork]
    aside = rng.choice([-1.0, 1.0], len(stem)) * rng.uniform(0.35, 0.9, len(stem))
    heading = np.arctan2(ahead[:, 1], ahead[:, 0]) + aside
    return paths(rng, stem[every, fork], heading, length, anatomy.wander, N_STEPS)


def _taper(
    rng: np.random.Generator, base: Float[np.ndarray, " n"], tip: float
) -> Float[np.ndarray, "n s"]:
    """Widths along processes: thinner outwards, uneven, with a small foot at the end."""
    along = np.linspace(0, 1, N_STEPS + 1)
    profile = tip + (1 - tip) * (1 - along) ** 1.5
    profile[-2] += 0.25 * tip
    uneven = rng.lognormal(0, 0.25, (len(base), N_STEPS + 1))
    return base[:, None] * profile * uneven


def _interiors(rng: np.random.Generator, bodies: Bodies) -> list[tuple[Shape, ...]]:
    """Shapes of the bodies: the light bent outwards at the edge, cytoplasm, nucleus."""
    centre, radius = bodies.centre[:, None], bodies.radius[:, None, None]
    off_centre = rng.normal(0, 0.12, centre.shape) * radius
    nucleus = rotate(blob(rng, 0.5 * bodies.radius, 12, 0.06) * bodies.squeeze, bodies.angle)
    edge = centre + (1 + EDGE) * (bodies.outline - centre)
    contrast = rng.uniform(0.7, 1.3, len(radius))
    return list(
        zip(
            shapes(edge, -EDGE_SHARE * bodies.thickness),
            shapes(bodies.outline, bodies.thickness),
            shapes(centre + off_centre + nucleus, contrast * bodies.thickness),
            strict=True,
        )
    )


def _assemble(
    process_kind: Kind,
    owner: Int[np.ndarray, " q"],
    limbs: list[tuple[Shape, ...]],
    bodies: list[tuple[Shape, ...]],
) -> Iterator[Part]:
    """Numbers the parts cell by cell, each body before its processes."""
    counts = np.bincount(owner, minlength=len(bodies)).tolist()
    limb = iter(limbs)
    next_id = 1
    for count, body in zip(counts, bodies, strict=True):
        cell = next_id
        yield Part(cell, "body", cell, body)
        for own in range(1, count + 1):
            yield Part(cell + own, process_kind, cell, next(limb))
        next_id += count + 1
