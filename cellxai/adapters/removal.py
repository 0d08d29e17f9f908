"""On-manifold removal: what each part of a synthetic image truly does to a model's score.

A cell is taken out of the scene, and the scene is rendered again as a microscope would have seen it
without the cell. So nothing is masked, and every image is like those of the data set. This joins
the synthetic cells, which know no model, with the metrics of truth, which know no data set.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.adapters.stain_removal import known_stain_truth
from cellxai.data.pixels.transforms import Transforms, to_tensor
from cellxai.data.synthetic import Scene, cue_map, part_region, render, scene_of
from cellxai.data.synthetic.fluorescence.write import stain_scene_of
from cellxai.explain.base import Model
from cellxai.explain.metrics.probing import scores_of_variants

Level = Literal["cells", "parts"]
"""Whole cells with their processes, or also every process and neurite by itself."""


@dataclass(frozen=True, eq=False)
class Removals:
    """The same scene without each of r parts, as a network sees it.

    Args:
        ids: Ids of the parts in the scene.
        masks: Pixels of each part.
        images: The scene without each part.
    """

    ids: tuple[int, ...]
    masks: Bool[Tensor, "r h w"]
    images: Float[Tensor, "r planes h w"]


def known_truth(
    root: Path,
    image_id: str,
    transforms: Transforms,
    model: Model,
    target: int,
    level: Level = "cells",
    at_most: int = 24,
    batch_size: int = 32,
    device: torch.device | None = None,
) -> dict[str, Bool[Tensor, "..."] | Float[Tensor, " _"] | Int[Tensor, " _"]]:
    """``parts`` with their true ``effects`` on a model, and the ``cue`` where one was planted.

    Of stained cells the plane of each part, too: see :func:`known_stain_truth`.

    Args:
        root: A folder made by ``cellxai synthesize``.
        image_id: Id of an image of the folder.
        transforms: What happens to an image before the network.
        model: Images in [0, 1] to scores, in evaluation mode.
        target: The explained class.
        level: Which parts are removed.
        at_most: Most parts, the largest ones; each costs a rendering and a forward pass.
        batch_size: Largest number of images per forward pass.
        device: Device of the model; the CPU by default.

    Raises:
        FileNotFoundError: If the folder was not made by ``synthesize``.
        ValueError: If it has no such image.
    """
    stained = stain_scene_of(root, image_id)
    if stained is not None:
        return known_stain_truth(
            stained, transforms, model, target, level, at_most, batch_size, device
        )
    scene = scene_of(root, image_id)
    removals = render_removals(scene, transforms, level, at_most)
    whole = render_prepared(scene, transforms)
    effects = removal_effects(model, whole, removals, target, batch_size, device)
    regions = {"parts": removals.masks}
    if (cue := cue_map(scene)) is not None:
        regions["cue"] = prepare_region(cue, transforms)
    return {name: region.to(device) for name, region in regions.items()} | {"effects": effects}


def render_removals(
    scene: Scene, transforms: Transforms, level: Level = "cells", at_most: int = 24
) -> Removals:
    """Renders a scene without each of its parts.

    Parts outside the frame, or too small for the network's geometry, are left out.

    Args:
        scene: See :func:`cellxai.data.synthetic.scene_of`.
        transforms: What happens to an image before the network.
        level: Which parts are removed.
        at_most: Most parts, the largest ones.
    """
    ids = scene.cells if level == "cells" else tuple(part.id for part in scene.parts if part.cell)
    regions = {part: prepare_region(part_region(scene, part), transforms) for part in ids}
    areas_px = {part: int(region.sum()) for part, region in regions.items()}
    visible = [part for part in ids if areas_px[part]]
    chosen = sorted(sorted(visible, key=lambda part: -areas_px[part])[:at_most])
    masks = torch.zeros(len(chosen), *transforms.image_size, dtype=torch.bool)
    images = torch.zeros(len(chosen), transforms.n_inputs, *transforms.image_size)
    for row, part in enumerate(chosen):
        masks[row], images[row] = regions[part], render_prepared(scene.without(part), transforms)
    return Removals(tuple(chosen), masks, images)


def removal_effects(
    model: Model,
    image: Float[Tensor, "planes h w"],
    removals: Removals,
    target: int,
    batch_size: int = 32,
    device: torch.device | None = None,
) -> Float[Tensor, " r"]:
    """By how much the target's score falls when each part is taken out of the scene."""
    images = torch.cat([image[None], removals.images]).to(device)
    targets = torch.full((len(images),), target, device=device)
    scores = scores_of_variants(model, targets, lambda rows: images[rows], batch_size).float()
    return scores[0] - scores[1:]


def render_prepared(scene: Scene, transforms: Transforms) -> Float[Tensor, "planes h w"]:
    """Renders a scene as the network sees it."""
    return to_tensor(transforms.prepare(render(scene)), transforms.n_inputs)


def prepare_region(
    region: Bool[np.ndarray, "h w"], transforms: Transforms
) -> Bool[Tensor, "height width"]:
    """Brings a region into the network's geometry."""
    return torch.from_numpy(transforms.prepare_mask(region.astype(np.int32)) != 0)
