"""Stained cells as a data set: TIFFs of several planes, their table, masks, and causes by plane."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import tifffile
from jaxtyping import UInt16

from cellxai.data.synthetic.fluorescence.render import (
    cause_map,
    instance_labels,
    render_stains,
)
from cellxai.data.synthetic.fluorescence.scene import (
    StainScene,
    StainSettings,
    check_stains,
    compose_stains,
)
from cellxai.data.synthetic.fluorescence.structures import Stain
from cellxai.data.synthetic.folder import (
    check_rendering,
    number_of_image,
    recorded_arguments,
    write_png,
)
from cellxai.files.folder import atomic

STAIN_RENDERING = 1  # rises when the same seed gives other pixels, so that old folders are noticed
ID_PREFIX = "stains-"

TableRow = dict[str, str | int]


@dataclass(frozen=True)
class StainPlan:
    """The arguments that determine every byte of a folder, kept in its ``synthesize.json``."""

    n_images: int
    seed: int
    height: int
    width: int
    magnification: float
    stains: list[Stain]
    cause: Stain
    stain_rendering: int = STAIN_RENDERING

    def scene(self, index: int) -> StainScene:
        """The scene of an image of the folder."""
        settings = StainSettings(
            self.height, self.width, tuple(self.stains), self.cause, self.magnification
        )
        return compose_stains(self.seed, index, settings)


def stain_scene_of(root: Path, image_id: str) -> StainScene | None:
    """The scene that an image of a folder made by ``synthesize`` was rendered from.

    None where the folder holds other cells than stained ones.

    Raises:
        FileNotFoundError: If the folder was not made by it.
        ValueError: If it holds no such image, or was made by another version.
    """
    recorded = recorded_arguments(root)
    if "stain_rendering" not in recorded:
        return None
    check_rendering(root, recorded["stain_rendering"], STAIN_RENDERING)
    plan = StainPlan(**{field.name: recorded.get(field.name) for field in fields(StainPlan)})
    check_stains(plan.stains, plan.cause)
    return plan.scene(number_of_image(root, image_id, ID_PREFIX, plan.n_images))


def write_stain_image(out: Path, plan: StainPlan, index: int) -> list[TableRow]:
    """Writes one image with its masks and causes, and returns its row of ``images.csv``.

    A mask is the id of the cell in each pixel, a cause the number of the plane that holds it there,
    from 1.
    """
    scene, name = plan.scene(index), f"{ID_PREFIX}{index:06d}"
    write_planes(out / "images" / f"{name}.tif", render_stains(scene), plan.stains)
    write_png(out / "masks" / f"{name}.png", instance_labels(scene).astype(np.uint16))
    numbers = np.arange(1, len(plan.stains) + 1, dtype=np.uint8)
    write_png(out / "causes" / f"{name}.png", (cause_map(scene) * numbers).max(-1))
    return [{"path": f"images/{name}.tif", "label": scene.label, "mask": f"masks/{name}.png"}]


def write_planes(path: Path, image: UInt16[np.ndarray, "h w p"], names: Sequence[str]) -> None:
    """Writes an ImageJ hyperstack of axes CYX whose channels have names."""
    metadata = {"axes": "CYX", "Labels": [*names], "mode": "grayscale"}
    stored = np.ascontiguousarray(image.transpose(2, 0, 1))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, stored, imagej=True, metadata=metadata)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
