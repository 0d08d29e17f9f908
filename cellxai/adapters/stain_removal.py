"""What each structure of a synthetic stained image truly does to a model's score, plane by plane.

A structure is taken out of the scene, and the plane that shows it is rendered again; all other
planes stay bit for bit.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt
from torch import Tensor

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.synthetic.fluorescence import StainScene, part_region, render_stains
from cellxai.explain.base import Model
from cellxai.explain.metrics.planes import ALL_PLANES
from cellxai.explain.metrics.probing import scores_of_variants


def places_of_planes(transforms: Transforms, n_stored: int) -> list[int]:
    """Where each plane that the network takes lies among those of a file."""
    planes = transforms.planes
    if isinstance(planes, dict):
        return list(planes.values())
    return list(range(len(planes) if isinstance(planes, list) else n_stored))


def known_stain_truth(
    scene: StainScene,
    transforms: Transforms,
    model: Model,
    target: int,
    level: Literal["cells", "parts"] = "cells",
    at_most: int = 24,
    batch_size: int = 32,
    device: torch.device | None = None,
) -> dict[str, Bool[Tensor, "r h w"] | Float[Tensor, " r"] | Int[Tensor, " r"]]:
    """``parts`` with their true ``effects`` on a model, and the plane of each (``part_planes``).

    Args:
        scene: The scene of the image.
        transforms: What happens to an image before the network.
        model: Images in [0, 1] to scores, in evaluation mode.
        target: The explained class.
        level: Whole ``cells`` with all that they hold in any plane, or single structures.
        at_most: Most parts, the largest ones; each costs a rendering and a forward pass.
        batch_size: Largest number of images per forward pass.
        device: Device of the model; the CPU by default.
    """
    places = places_of_planes(transforms, len(scene.stains))
    if level == "cells":
        chosen = [(scene.parts_of_cell(cell.id), ALL_PLANES) for cell in scene.cells]
    else:
        structures = [part for part in scene.parts if part.cell and part.plane in places]
        chosen = [((part.id,), places.index(part.plane)) for part in structures]
    regions = [prepare_region(part_region(scene, *ids), transforms) for ids, _ in chosen]
    order = sorted(range(len(chosen)), key=lambda row: -int(regions[row].sum()))
    kept = sorted(row for row in order[:at_most] if regions[row].any())
    images = [prepare_planes(render_stains(scene), transforms)]
    images += [
        prepare_planes(render_stains(scene.without(*chosen[row][0])), transforms) for row in kept
    ]
    batch = torch.stack(images).to(device)
    targets = torch.full((len(batch),), target, device=device)
    scores = scores_of_variants(model, targets, lambda rows: batch[rows], batch_size).float()
    return {
        "parts": torch.stack([regions[row] for row in kept]).to(device),
        "effects": scores[0] - scores[1:],
        "part_planes": torch.tensor([chosen[row][1] for row in kept], device=device),
    }


def prepare_planes(
    image: UInt[np.ndarray, "h w p"], transforms: Transforms
) -> Float[Tensor, "planes height width"]:
    """An image as the network sees it."""
    prepared = np.ascontiguousarray(transforms.prepare(image))
    return torch.from_numpy(prepared).permute(2, 0, 1).float().div_(255)


def prepare_region(
    region: Bool[np.ndarray, "h w"], transforms: Transforms
) -> Bool[Tensor, "height width"]:
    """Brings a region into the network's geometry."""
    return torch.from_numpy(transforms.prepare_mask(region.astype(np.int32)) != 0)
