"""Draws a scene of stained cells as a wide-field fluorescence microscope and its camera see it.

Light adds up: photons of all points, through the point spread of the lens, a share of them from out
of focus, on the background of the medium, under a lamp that is brightest in the middle. The camera
counts with shot noise of variance equal to the mean (Poisson, by its normal limit: no pixel has
fewer than 7 photons), adds noise of reading and an offset, and writes 12 bits. Noise is a fixed
field of each plane, scaled by the light: a part that is taken out changes pixels that it lit, and
no others.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt16

from cellxai.data.synthetic.fluorescence.scene import StainScene, Stream
from cellxai.data.synthetic.fluorescence.structures import STAINS

FULL_SCALE = 4095  # of a 12-bit camera
OFFSET = 100.0  # levels of a px without light
LEVELS_PER_PHOTON = 9.0
READ_NOISE = 12.0  # levels, standard deviation
HAZE_PX = 0.05  # blur of what is out of focus, in heights of the frame
FALL_OFF = 0.25  # of the lamp, from the middle to a corner
REACH = 3.5  # standard deviations, beyond which a blur is cut off


def render_stains(scene: StainScene) -> UInt16[np.ndarray, "h w p"]:
    """The image of a scene, a pure function of it."""
    return np.stack([render_plane(scene, plane) for plane in range(len(scene.stains))], -1)


def render_plane(scene: StainScene, plane: int) -> UInt16[np.ndarray, "h w"]:
    """One plane of the image."""
    exposure, shape = scene.exposures[plane], (scene.height, scene.width)
    clouds = [part.points for part in scene.parts if part.plane == plane]
    light = exposure.brightness * emission(clouds, shape)
    sharp = _blur(light, exposure.blur_px)
    hazy = _blur(light, HAZE_PX * scene.height)
    photons = (1 - exposure.haze) * sharp + exposure.haze * hazy + exposure.background
    photons *= lamp(shape)
    rng = scene.stream(Stream.NOISE, STAINS.index(scene.stains[plane]))
    shot, read = rng.standard_normal((2, *shape), np.float32)
    levels = OFFSET + LEVELS_PER_PHOTON * (photons + np.sqrt(photons) * shot) + READ_NOISE * read
    return np.clip(np.rint(levels), 0, FULL_SCALE).astype(np.uint16)


def emission(
    clouds: Sequence[Float[np.ndarray, "_ 3"]], shape: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """Photons that leave each px; a point between pixels is shared among the four around it."""
    height, width = shape
    light = np.zeros(height * width)
    if not clouds:
        return light.reshape(shape).astype(np.float32)
    x, y, photons = np.concatenate(clouds).T
    left, top = np.floor(x), np.floor(y)
    for across in (0, 1):
        for down in (0, 1):
            column, row = (left + across).astype(int), (top + down).astype(int)
            share = np.abs(1 - across - (x - left)) * np.abs(1 - down - (y - top))
            seen = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            places = row[seen] * width + column[seen]
            light += np.bincount(places, (share * photons)[seen], height * width)
    return light.reshape(shape).astype(np.float32)


def lamp(shape: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """Light of the lamp, 1 in the middle of the field."""
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    return 1 - np.float32(FALL_OFF) * (y[:, None] ** 2 + x**2) / 2


def instance_labels(scene: StainScene) -> Int32[np.ndarray, "h w"]:
    """The id of the cell in each pixel, by the outlines of the cells; 0 where there is none."""
    labels = np.zeros((scene.height, scene.width), np.int32)
    for cell in scene.cells:
        cv2.fillPoly(labels, [cell.outline.round().astype(np.int32)], cell.id)
    return labels


def cause_map(scene: StainScene) -> Bool[np.ndarray, "h w p"]:
    """Pixels of all structures that make the label, in their plane."""
    ids = [part.id for part in scene.parts if part.plane == scene.cause_plane and part.cell]
    cause = np.zeros((scene.height, scene.width, len(scene.stains)), bool)
    cause[..., scene.cause_plane] = part_region(scene, *ids)
    return cause


def part_region(scene: StainScene, *part_ids: int) -> Bool[np.ndarray, "h w"]:
    """Pixels that these parts lie in, and those beside them that the lens lights up most."""
    clouds = [part.points for part in scene.parts if part.id in part_ids]
    lit = emission(clouds, (scene.height, scene.width)) > 0
    return cv2.dilate(lit.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _blur(light: Float32[np.ndarray, "h w"], sigma: float) -> Float32[np.ndarray, "h w"]:
    side = 2 * int(np.ceil(REACH * sigma)) + 1
    return cv2.GaussianBlur(light, (side, side), sigma, borderType=cv2.BORDER_CONSTANT)
