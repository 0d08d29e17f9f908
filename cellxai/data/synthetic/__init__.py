"""Synthetic phase-contrast cells: images whose cause is known, because we drew it."""

from cellxai.data.synthetic.cues import Cue
from cellxai.data.synthetic.foreign import foreign_region, with_foreign
from cellxai.data.synthetic.parts import Part, Shape
from cellxai.data.synthetic.render import (
    REACH_PX,
    Rendered,
    cause_map,
    cue_map,
    instance_labels,
    part_region,
    render,
    render_image,
)
from cellxai.data.synthetic.scene import CLASSES, Scene, SceneSettings, compose_scene
from cellxai.data.synthetic.write import scene_of

__all__ = [
    "CLASSES",
    "REACH_PX",
    "Cue",
    "Part",
    "Rendered",
    "Scene",
    "SceneSettings",
    "Shape",
    "cause_map",
    "compose_scene",
    "cue_map",
    "foreign_region",
    "instance_labels",
    "part_region",
    "render",
    "render_image",
    "scene_of",
    "with_foreign",
]
