"""Draws a scene: a map of optical thickness, seen through a linear model of phase contrast.

Phase contrast shows the difference between the optical path and its surroundings, because the
phase ring lets part of the scattered light through with the direct light (Zernike 1942; Yin, Kanade
and Chen 2012 model it as a convolution). Differences of Gaussians of the thickness map show the
same: dark bodies with darker rims in bright halos. Each has gain 0 at frequency 0 and reflecting
borders keep the sum, so the mean grey stays at 128 whatever lies in the dish, as in the real
images, and no normalisation ties far pixels to a part that is taken out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from cellxai.data.synthetic.cues import cue_region, draw_cue
from cellxai.data.synthetic.parts import CAUSAL_KINDS, SUBPIXEL_BITS, TRACED_KINDS, Part
from cellxai.data.synthetic.scene import Optics, Scene, SceneSettings, Stream, compose_scene

MEAN_GREY = 128.0  # the real images are normalised to it
DISH = 90  # thickness of the empty dish: room below for negative shapes, above for positive ones
WIDE_HALO_PX = 11.0
WIDE_SHARE = 0.1  # of the narrow halo: interiors are only a little darker than the dish
GRAIN_PX = 0.8  # of the unevenness inside cells
NOISE_PX = 0.5
REACH_PX = 64  # of a 520-line frame: pixels farther from a part are not touched by it


@dataclass(frozen=True)
class Rendered:
    """One synthetic image with its truth.

    Args:
        image: Grey, mean 128.
        masks: Instance labels: the id of the cell's body in the scene, 0 where there is no cell.
        cause: Pixels of all that makes the class.
        label: Name of the class.
        cue: Pixels of the planted shortcut; ``None`` where none was planted.
    """

    image: UInt8[np.ndarray, "h w"]
    masks: Int32[np.ndarray, "h w"]
    cause: Bool[np.ndarray, "h w"]
    label: str
    cue: Bool[np.ndarray, "h w"] | None = None


def render_image(seed: int, index: int, settings: SceneSettings = SceneSettings()) -> Rendered:
    """Image ``index`` of the data set ``seed`` with its truth; see ``compose_scene``."""
    return render_scene(compose_scene(seed, index, settings))


def render_scene(scene: Scene) -> Rendered:
    """The image of a scene with its truth."""
    masks = instance_labels(scene)
    cause, cue = _cause(scene, masks), cue_map(scene)
    return Rendered(render(scene), masks, cause, scene.label, cue)


def render(scene: Scene) -> UInt8[np.ndarray, "h w"]:
    """The image of a scene, a pure function of it."""
    optics = scene.optics
    grey = _phase_contrast(_thickness(scene), optics, scene.scale)
    grey *= optics.contrast
    grey += _illumination(scene)
    grey += _noise(scene)
    grey += MEAN_GREY
    if scene.cue is not None:
        grey += draw_cue(scene.cue, scene.height, scene.width)
    np.clip(np.rint(grey, out=grey), 0, 255, out=grey)
    return grey.astype(np.uint8)


def instance_labels(scene: Scene) -> Int32[np.ndarray, "h w"]:
    """The id of the topmost cell in each pixel, 0 where there is none."""
    labels = np.zeros((scene.height, scene.width), np.int32)
    for part in scene.parts:
        if part.kind in TRACED_KINDS:
            _fill(labels, part, part.cell)
    return labels


def cause_map(scene: Scene) -> Bool[np.ndarray, "h w"]:
    """Pixels of all parts that make the class: bodies, processes and neurites."""
    return _cause(scene, instance_labels(scene))


def cue_map(scene: Scene) -> Bool[np.ndarray, "h w"] | None:
    """Pixels of the planted shortcut; ``None`` where none was planted."""
    return scene.cue and cue_region(scene.cue, scene.height, scene.width)


def part_region(scene: Scene, *part_ids: int) -> Bool[np.ndarray, "h w"]:
    """Pixels of the matter of these parts and of what they take with them, seen or covered."""
    region = np.zeros((scene.height, scene.width), np.uint8)
    for part in scene.parts:
        if part.id in part_ids or part.cell in part_ids:
            _fill(region, part, 1)
    return region.view(bool)


def _cause(scene: Scene, masks: Int32[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    cause = (masks > 0).view(np.uint8)
    for part in scene.parts:
        if part.kind in CAUSAL_KINDS - TRACED_KINDS:
            _fill(cause, part, 1)
    return cause.view(bool)


def _fill(canvas: np.ndarray, part: Part, value: int) -> None:
    """Sets the pixels of a part's matter; shapes of negative thickness are light."""
    for shape in part.shapes:
        if shape.thickness > 0:
            cv2.fillPoly(canvas, [shape.outline], value, cv2.LINE_8, SUBPIXEL_BITS)


def _thickness(scene: Scene) -> Float32[np.ndarray, "h w"]:
    """Optical thickness, grey levels, uneven inside the parts by one fixed field per scene."""
    canvas = np.full((scene.height, scene.width), DISH, np.uint8)
    for part in scene.parts:
        for shape in part.shapes:
            grey = DISH + shape.thickness
            cv2.fillPoly(canvas, [shape.outline], grey, cv2.LINE_AA, SUBPIXEL_BITS)
    thickness = canvas.astype(np.float32)
    thickness -= DISH
    grain = _smooth_noise(scene.stream(Stream.TEXTURE), canvas.shape, GRAIN_PX)
    grain *= scene.optics.texture
    grain += 1
    return np.multiply(thickness, grain, out=thickness)


def _phase_contrast(
    thickness: Float32[np.ndarray, "h w"], optics: Optics, scale: float
) -> Float32[np.ndarray, "h w"]:
    """Differences of Gaussians of the thickness, sharper on one side of the frame."""
    sharp = _blur(thickness, optics.focus_px)
    narrow = _blur(sharp, optics.halo_px)
    small = cv2.resize(narrow, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = _blur(small, max(WIDE_HALO_PX * scale / 4, 0.5))
    wide = cv2.resize(wide, thickness.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # (narrow - sharp) + WIDE_SHARE * (wide - narrow), in place: a new array costs more than a sum.
    narrow *= 1 - WIDE_SHARE
    narrow -= sharp
    wide *= WIDE_SHARE
    wide += narrow
    return _tilt_focus(wide, optics)


def _tilt_focus(seen: Float32[np.ndarray, "h w"], optics: Optics) -> Float32[np.ndarray, "h w"]:
    """What is seen of a dish that is out of focus on one side."""
    blurred = _blur(seen, optics.defocus_px)
    blurred -= seen
    blurred *= _defocus_weight(seen.shape, optics.tilt)
    blurred += seen
    return blurred


def _blur(image: Float32[np.ndarray, "h w"], sigma: float) -> Float32[np.ndarray, "h w"]:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def _defocus_weight(shape: tuple[int, ...], tilt: float) -> Float32[np.ndarray, "h w"]:
    """From 0 in focus to 1 on the far side of a tilted dish."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None] * np.float32(np.sin(tilt) / 1.2)
    x = np.linspace(-1, 1, shape[1], dtype=np.float32) * np.float32(np.cos(tilt) / 1.2)
    weight = x + (y - np.float32(1 / 6))
    return np.clip(weight, 0, 1, out=weight)


def _illumination(scene: Scene) -> Float32[np.ndarray, "h w"]:
    """A smooth field of mean 0, grey levels."""
    coarse = scene.stream(Stream.ILLUMINATION).standard_normal((4, 5), np.float32)
    size = (scene.width, scene.height)
    field = cv2.resize(coarse * scene.optics.shading, size, interpolation=cv2.INTER_CUBIC)
    field -= field.mean()
    return field


def _noise(scene: Scene) -> Float32[np.ndarray, "h w"]:
    """The camera's noise of mean 0, a little correlated as in the resampled real images."""
    noise = _smooth_noise(scene.stream(Stream.NOISE), (scene.height, scene.width), NOISE_PX)
    noise *= scene.optics.noise
    return noise


def _smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float
) -> Float32[np.ndarray, "h w"]:
    """Noise of mean 0 and standard deviation 1, correlated over ``sigma`` px.

    Random bytes under a Gaussian: smoothing makes sums of them near enough to normal, at a third of
    the time that normal numbers take.
    """
    octets = np.frombuffer(rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)
    noise = _blur(octets.astype(np.float32), sigma)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(noise))
    noise -= mean
    noise *= 1 / deviation
    return noise
