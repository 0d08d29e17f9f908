"""One foreign object in a scene: an anomaly whose place is known, because we put it there.

Nothing like it lies in any dish that a classifier was trained on. The same scene without it is
``scene.without(id)``, bit for bit, so what the object truly does to a score can be measured.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float

from cellxai.data.synthetic.parts import SUBPIXEL_BITS, Part, Shape, blob, paths, ribbons, shapes
from cellxai.data.synthetic.scene import Scene, Stream

ForeignKind = Literal["fibre", "bubble", "dust", "crystal"]
FOREIGN_KINDS: tuple[ForeignKind, ...] = get_args(ForeignKind)

FRAME_SHARE = (0.25, 0.75)  # of both sides: where the object's middle may lie
LEAST_WIDTH_PX = 2.0  # a fibre of a small frame would vanish otherwise

Draw = Callable[[np.random.Generator, float], list[Shape]]


def with_foreign(scene: Scene, kind: ForeignKind) -> Scene:
    """The same scene with one foreign object in it; everything else is as before.

    Args:
        scene: Seeds the object: the same scene gets the same one.
        kind: A curled ``fibre``, an air ``bubble`` of sharp rings, a dark flake of ``dust``, or a
            bright ``crystal`` with corners. In a real frame they cover 0.4 to 2 %.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind not in DRAWN:
        raise ValueError(f"foreign={kind!r}, expected one of {', '.join(FOREIGN_KINDS)}")
    rng = scene.stream(Stream.FOREIGN)
    centre = rng.uniform(*FRAME_SHARE, 2) * (scene.width, scene.height)
    drawn = DRAWN[kind](rng, scene.scale)
    number = max((part.id for part in scene.parts), default=0) + 1
    placed = tuple(move_to(shape, centre, drawn) for shape in drawn)
    return replace(scene, parts=(*scene.parts, Part(number, "foreign", 0, placed)))


def foreign_region(scene: Scene) -> Bool[np.ndarray, "h w"]:
    """Pixels inside the outlines of all foreign objects, the air in a bubble included."""
    region = np.zeros((scene.height, scene.width), np.uint8)
    for part in scene.parts:
        if part.kind == "foreign":
            for shape in part.shapes:
                cv2.fillPoly(region, [shape.outline], 1, cv2.LINE_8, SUBPIXEL_BITS)
    return region.view(bool)


def move_to(shape: Shape, centre: Float[np.ndarray, "2"], drawn: list[Shape]) -> Shape:
    """A shape with the middle of the first outline drawn put at ``centre`` (x, y), px."""
    outline = drawn[0].outline
    middle = (outline.min(0) + outline.max(0)) / 2
    shift = np.rint(centre * (1 << SUBPIXEL_BITS) - middle).astype(np.int32)
    return replace(shape, outline=shape.outline + shift)


def _fibre(rng: np.random.Generator, scale: float) -> list[Shape]:
    length, heading = rng.uniform(180, 280, 1) * scale, rng.uniform(0, 2 * np.pi, 1)
    course = paths(rng, np.zeros((1, 2)), heading, length, 0.22, 20)
    width = max(rng.uniform(15, 21) * scale, LEAST_WIDTH_PX)
    broad = np.full(course.shape[:2], width)
    outlines = np.concatenate([ribbons(course, broad), ribbons(course, 0.4 * broad)])
    return shapes(outlines, np.array([150.0, -85.0]))


def _bubble(rng: np.random.Generator, scale: float) -> list[Shape]:
    # From outside: a dark wall, the bright ring of the light that it bends, a second wall, air.
    radius = rng.uniform(44, 68) * scale * np.array([1.0, 0.83, 0.72, 0.62])
    return shapes(blob(rng, radius, 60, 0.0), np.array([160.0, -85.0, 90.0, 0.0]))


def _dust(rng: np.random.Generator, scale: float) -> list[Shape]:
    radius = rng.uniform(28, 44, 1) * scale
    return shapes(blob(rng, radius, 24, 0.28), np.array([165.0]))


def _crystal(rng: np.random.Generator, scale: float) -> list[Shape]:
    """A polygon of light with a dark edge on one side, as facets throw it."""
    corners = 2 * np.pi * (np.arange(5) + rng.uniform(-0.3, 0.3, 5)) / 5 + rng.uniform(0, 2 * np.pi)
    rays = np.stack([np.cos(corners), np.sin(corners)], axis=-1)
    facets = rng.uniform(36, 54) * scale * rays * rng.uniform(0.8, 1.2, (5, 1))
    lit = facets * 0.7 + 0.12 * facets[:1]
    return shapes(np.stack([facets, lit]), np.array([120.0, -90.0]))


DRAWN: dict[ForeignKind, Draw] = {
    "fibre": _fibre,
    "bubble": _bubble,
    "dust": _dust,
    "crystal": _crystal,
}
