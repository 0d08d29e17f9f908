"""Synthetic stained cells: images of several planes, of which one holds the cause of the label."""

from cellxai.data.synthetic.fluorescence.render import (
    cause_map,
    instance_labels,
    part_region,
    render_stains,
)
from cellxai.data.synthetic.fluorescence.scene import (
    CLASSES,
    StainScene,
    StainSettings,
    compose_stains,
)
from cellxai.data.synthetic.fluorescence.structures import CAUSAL_STAINS, STAINS, Stain

__all__ = [
    "CAUSAL_STAINS",
    "CLASSES",
    "STAINS",
    "Stain",
    "StainScene",
    "StainSettings",
    "cause_map",
    "compose_stains",
    "instance_labels",
    "part_region",
    "render_stains",
]
