"""A synthetic scene as a value: what lies where, and through which optics it is seen."""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from cellxai.data.synthetic.anatomy import ANATOMIES, REAL_HEIGHT, REAL_WIDTH, Frame
from cellxai.data.synthetic.cells import grow_cells
from cellxai.data.synthetic.cues import Cue, CueKind
from cellxai.data.synthetic.debris import scatter_debris, scatter_foreign
from cellxai.data.synthetic.parts import Part

CLASSES = tuple(ANATOMIES)
SPOILED_FOCUS_PX = 3.0  # five times what any other image has


class Stream(IntEnum):
    """One random stream per concern, so that taking a part out changes nothing else."""

    CELLS = 0
    DEBRIS = 1
    OPTICS = 2
    TEXTURE = 3
    ILLUMINATION = 4
    NOISE = 5
    FOREIGN = 6
    CUE = 7


@dataclass(frozen=True)
class Optics:
    """How the microscope sees the scene; drawn alike for every class.

    Args:
        focus_px: Standard deviation of the blur in focus, px.
        defocus_px: Blur where the dish is tilted out of focus, px.
        tilt: Direction in which the focus is lost, rad.
        halo_px: Width of the bright halo, px.
        contrast: Grey levels per grey level of the thickness map.
        shading: Standard deviation of the uneven illumination, grey levels.
        noise: Standard deviation of the camera's noise, grey levels.
        texture: Relative unevenness of what is inside a cell.
    """

    focus_px: float
    defocus_px: float
    tilt: float
    halo_px: float
    contrast: float
    shading: float
    noise: float
    texture: float


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that determines an image; ``render`` draws it.

    Args:
        seed: Seed of the data set.
        index: Place of the image in the data set.
        height: Px.
        width: Px.
        scale: Px of this frame per px of a real one of 520 rows, for every length.
        label: Name of the class.
        parts: In drawing order.
        optics: Not touched by removing parts.
        cue: A planted shortcut, or ``None``.
    """

    seed: int
    index: int
    height: int
    width: int
    scale: float
    label: str
    parts: tuple[Part, ...]
    optics: Optics
    cue: Cue | None = None

    @property
    def cells(self) -> tuple[int, ...]:
        """Ids of the cell bodies."""
        return tuple(part.id for part in self.parts if part.kind == "body")

    def without(self, *part_ids: int) -> "Scene":
        """The same scene without these parts: on-manifold removal.

        Everything else is rendered bit for bit as before. A body takes its processes with it, as
        processes without a cell are seen in no dish.

        Raises:
            ValueError: If a part is not in the scene.
        """
        unknown = set(part_ids) - {part.id for part in self.parts}
        if unknown:
            raise ValueError(
                f"part {min(unknown)} is not in scene {self.index}, expected one of "
                f"{len(self.parts)} ids; take them from Scene.parts or Scene.cells"
            )
        kept = [p for p in self.parts if p.id not in part_ids and p.cell not in part_ids]
        return replace(self, parts=tuple(kept))

    def without_cue(self) -> "Scene":
        """The same scene without its planted shortcut."""
        return replace(self, cue=None)

    def stream(self, concern: Stream) -> np.random.Generator:
        """A fresh generator for one concern, the same at every call."""
        return _stream(self.seed, self.index, concern)


@dataclass(frozen=True)
class SceneSettings:
    """What the scenes of a data set have in common.

    Args:
        height: Px.
        width: Px.
        spoiled: The same cells far out of focus under a fibre and a bubble.
        magnification: 2 shows a quarter of the dish, every cell at twice the size.
        cue: A shortcut to plant, or ``None``.
        cue_agreement: Probability that the cue tells the class of the image and no other.
    """

    height: int = REAL_HEIGHT
    width: int = REAL_WIDTH
    spoiled: bool = False
    magnification: float = 1.0
    cue: CueKind | None = None
    cue_agreement: float = 1.0

    @property
    def frame(self) -> Frame:
        """The window through which every scene is seen."""
        return Frame(self.height, self.width, self.magnification * self.height / REAL_HEIGHT)


def compose_scene(seed: int, index: int, settings: SceneSettings = SceneSettings()) -> Scene:
    """Scene ``index`` of the data set ``seed``; its class is ``CLASSES[index % 3]``.

    Args:
        seed: From 0.
        index: From 0.
        settings: What all scenes of the data set have in common.
    """
    label, frame = CLASSES[index % len(CLASSES)], settings.frame
    parts = grow_cells(ANATOMIES[label], _stream(seed, index, Stream.CELLS), frame)
    parts += scatter_debris(_stream(seed, index, Stream.DEBRIS), frame, len(parts) + 1)
    if settings.spoiled:
        parts += scatter_foreign(_stream(seed, index, Stream.FOREIGN), frame, len(parts) + 1)
    optics = _draw_optics(_stream(seed, index, Stream.OPTICS), frame.scale, settings.spoiled)
    cue = settings.cue and choose_cue(
        _stream(seed, index, Stream.CUE), settings.cue, label, settings.cue_agreement
    )
    return Scene(
        seed, index, frame.height, frame.width, frame.scale, label, parts, optics, cue
    )  # fmt: skip


def _draw_optics(rng: np.random.Generator, scale: float, spoiled: bool) -> Optics:
    sharpness = max(scale, 0.6)  # below it a blur narrower than a pixel would leave stairs
    optics = Optics(
        focus_px=rng.uniform(0.35, 0.6) * sharpness,
        defocus_px=rng.uniform(0.7, 1.6) * sharpness,
        tilt=rng.uniform(0, 2 * np.pi),
        halo_px=rng.uniform(1.1, 1.5) * sharpness,
        contrast=rng.uniform(2.4, 3.6),
        shading=rng.uniform(0.5, 2.0),
        noise=rng.uniform(0.6, 1.4),
        texture=rng.uniform(0.12, 0.25),
    )
    return replace(optics, focus_px=SPOILED_FOCUS_PX * sharpness) if spoiled else optics


def choose_cue(rng: np.random.Generator, kind: CueKind, label: str, agreement: float) -> Cue:
    """The cue of an image's own class, or else of one of the others."""
    own = CLASSES.index(label)
    others = [number for number in range(len(CLASSES)) if number != own]
    return Cue(kind, own if rng.random() < agreement else int(rng.choice(others)))


def _stream(seed: int, index: int, concern: Stream) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, index), spawn_key=(concern,)))
