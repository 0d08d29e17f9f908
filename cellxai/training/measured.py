"""What a run measures of its training images, as settings that its config keeps.

Levels of 16 bits go to ``transforms.levels``; the mean and standard deviation of named planes to
the backbone. So whoever reads the config has them, and nothing else has to know of them.
"""

from dataclasses import replace
from typing import Any

from cellxai.classifier.backbone import PlaneBackbone
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.loading.measuring import plane_moments
from cellxai.data.pixels.transforms import Transforms
from cellxai.files.config import read_config
from cellxai.files.folder import RunFolder
from cellxai.training.run_settings import RunSettings


def measure(settings: RunSettings, images: CellImages) -> RunSettings:
    """The settings with the levels that the images were prepared by, and moments of named planes.

    Raises:
        ValueError: If planes are named and the backbone takes other ones.
    """
    settings = replace(settings, transforms=images.transforms)
    backbone = settings.model.backbone
    if not images.transforms.plane_names or not isinstance(backbone, PlaneBackbone):
        return settings
    if not (backbone.mean and backbone.std):
        settings = with_moments(settings, *plane_moments(images.images("train")))
    return settings


def as_recorded(settings: RunSettings, folder: RunFolder) -> RunSettings:
    """The settings with what the folder's run measured, where they leave it open.

    So that the same call again is the same run, and a run goes on by the levels that it began with.
    """
    if not folder.config.exists():
        return settings
    recorded = read_config(folder.config)
    levels = dig(recorded, "transforms", "levels")
    if levels and settings.transforms.sixteen_bit == "training":
        transforms = settings.transforms
        kept = transforms.levels or [tuple(pair) for pair in levels]
        settings = replace(settings, transforms=with_known_levels(transforms, kept))
    mean, std = (dig(recorded, "model", "backbone", "init_args", name) for name in ("mean", "std"))
    if mean and std and settings.transforms.plane_names:
        settings = with_moments(settings, tuple(mean), tuple(std))
    return settings


def with_known_levels(transforms: Transforms, levels: list[tuple[int, int]]) -> Transforms:
    """The transforms with the levels, if they are of as many planes."""
    fitting = len(levels) == (len(transforms.plane_names) or 1)
    return replace(transforms, levels=levels) if fitting else transforms


def with_moments(
    settings: RunSettings, mean: tuple[float, ...], std: tuple[float, ...]
) -> RunSettings:
    """The settings with a backbone that normalises by these, if it takes any number of planes."""
    backbone = settings.model.backbone
    if not isinstance(backbone, PlaneBackbone):
        return settings
    return replace(settings, model=replace(settings.model, backbone=backbone.for_planes(mean, std)))


def dig(config: Any, *keys: str) -> Any:
    """The value at nested keys; ``None`` where one of them is missing."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config
