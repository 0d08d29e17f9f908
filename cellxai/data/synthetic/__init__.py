"""Synthetic phase-contrast cells: images whose cause is known, because we drew it."""

from cellxai.data.synthetic.parts import Part, Shape
from cellxai.data.synthetic.render import (
    REACH_PX,
    Rendered,
    cause_map,
    instance_labels,
    render,
    render_image,
)
from cellxai.data.synthetic.scene import CLASSES, Scene, compose_scene
from cellxai.data.synthetic.write import Synthesized, synthesize

__all__ = [
    "CLASSES",
    "REACH_PX",
    "Part",
    "Rendered",
    "Scene",
    "Shape",
    "Synthesized",
    "cause_map",
    "compose_scene",
    "instance_labels",
    "render",
    "render_image",
    "synthesize",
]
