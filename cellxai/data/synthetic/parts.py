"""What a synthetic scene is made of: filled outlines, grouped into parts that can be removed."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int32

SUBPIXEL_BITS = 4  # outlines are drawn to 1/16 px, or thin processes turn into stairs
SUBPIXELS = 1 << SUBPIXEL_BITS
PEN_PX = 1.2  # what OpenCV adds to the width of an anti-aliased shape

Kind = Literal["body", "process", "neurite", "debris", "foreign"]

#: Kinds that make the class; debris and foreign bodies say nothing about it.
CAUSAL_KINDS: frozenset[Kind] = frozenset({"body", "process", "neurite"})
#: Kinds inside an instance mask: the annotators of the real set leave thin neurites out.
TRACED_KINDS: frozenset[Kind] = frozenset({"body", "process"})


@dataclass(frozen=True, eq=False)
class Shape:
    """A filled outline of one optical thickness; a later shape covers an earlier one.

    Args:
        outline: Corners (x, y) in sixteenths of a pixel.
        thickness: Optical path above the empty dish, in grey levels of the thickness map; negative
            where light is gathered, as in the centre of a floating round cell.
    """

    outline: Int32[np.ndarray, "n 2"]
    thickness: int


@dataclass(frozen=True, eq=False)
class Part:
    """Something that can be taken out of a scene.

    Args:
        id: From 1, unique in its scene; the drawing order.
        kind: What it is.
        cell: ``id`` of the body that it belongs to (a body belongs to itself); 0 for no cell.
        shapes: In drawing order.
    """

    id: int
    kind: Kind
    cell: int
    shapes: tuple[Shape, ...]


def shapes(
    outlines_px: Float[np.ndarray, "n p 2"], thickness: Float[np.ndarray, " n"]
) -> list[Shape]:
    """One shape for each outline (x, y), in pixels."""
    outlines = np.rint(outlines_px * SUBPIXELS).astype(np.int32)
    return list(map(Shape, outlines, np.rint(thickness).astype(int).tolist()))


def pen_correction(width_px: Float[np.ndarray, " n"], scale: float) -> Float[np.ndarray, " n"]:
    """Factors on the thickness that make up for the pen's width in frames of another size.

    The pen does not scale with the frame: in a small one, thin processes would cover the cells.
    They are drawn as much fainter as they are too broad; 1 at ``scale`` 1.

    Args:
        width_px: Wanted width in this frame.
        scale: Height of this frame over that of a real one.
    """
    return (width_px + PEN_PX * scale) / (width_px + PEN_PX)


def rotate(
    points: Float[np.ndarray, "*n p 2"], angle: Float[np.ndarray, " *n"]
) -> Float[np.ndarray, "*n p 2"]:
    """Points turned about the origin, each set by its own angle in radians."""
    cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def blob(
    rng: np.random.Generator, radius: Float[np.ndarray, " n"], n_corners: int, roughness: float
) -> Float[np.ndarray, "n p 2"]:
    """Closed outlines about the origin: circles whose radius wavers by two low harmonics.

    Args:
        rng: Consumed by two draws per outline.
        radius: Mean radius of each outline, px.
        n_corners: Corners per outline.
        roughness: Relative amplitude of the harmonics; 0 gives circles.
    """
    theta = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    phase = rng.uniform(0, 2 * np.pi, (2, len(radius), 1))
    waver = np.sin(2 * theta + phase[0]) + 0.7 * np.sin(3 * theta + phase[1])
    distance = radius[:, None] * (1 + roughness * waver)
    return distance[..., None] * np.stack([np.cos(theta), np.sin(theta)], axis=-1)


def paths(
    rng: np.random.Generator,
    start: Float[np.ndarray, "n 2"],
    direction: Float[np.ndarray, " n"],
    length: Float[np.ndarray, " n"],
    wander: float,
    n_steps: int,
) -> Float[np.ndarray, "n s 2"]:
    """Random walks in heading: how a process grows from its cell.

    Args:
        rng: Consumed by ``n_steps`` draws per path.
        start: First point (x, y), px.
        direction: First heading, rad.
        length: Length along the path, px.
        wander: Standard deviation of the turn per step, rad.
        n_steps: Steps per path; it has one point more.
    """
    turns = rng.normal(0, wander, (len(start), n_steps)).cumsum(axis=1)
    heading = direction[:, None] + turns
    step = (length / n_steps)[:, None, None]
    moves = step * np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    return (
        np.concatenate([np.zeros_like(moves[:, :1]), moves], axis=1).cumsum(axis=1)
        + (start[:, None])
    )


def ribbons(
    centreline: Float[np.ndarray, "n s 2"], width: Float[np.ndarray, "n s"]
) -> Float[np.ndarray, "n t 2"]:
    """Closed outlines of bands about ``centreline`` that are ``width`` px wide at each point."""
    along = np.gradient(centreline, axis=1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True) + 1e-9
    aside = np.stack([-along[..., 1], along[..., 0]], axis=-1) * (width / 2)[..., None]
    return np.concatenate([centreline + aside, (centreline - aside)[:, ::-1]], axis=1)
