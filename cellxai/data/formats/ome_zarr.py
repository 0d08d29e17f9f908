"""Folders of OME-Zarr: images in chunks, with the names of their axes (OME-NGFF 0.1 to 0.5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellxai.data.formats.faults import ImageFault
from cellxai.data.formats.pictures import Frame, Layout, StackFile
from cellxai.data.formats.stack import MEANING, parse_axes
from cellxai.data.formats.zarr_array import ZarrArray, open_array, read_json, read_window

OLD_AXES = "TCZYX"  # of versions 0.1 and 0.2, which do not name them
MAX_SERIES = 1000


class OmeZarr(StackFile):
    """A folder of one image or several, each at its full resolution.

    Args:
        folder: The folder, by custom of suffix ``.zarr``.
        axes: From the config; ``None`` for what the folder says.
    """

    def __init__(self, folder: Path, axes: str | None) -> None:
        self.arrays = list(find_arrays(folder))
        self._layouts = [layout_of(array, said, axes) for array, said in self.arrays]

    @property
    def layouts(self) -> Sequence[Layout]:
        """One of each image."""
        return self._layouts

    def frame(self, series: int, time: int, channel: int, z: int) -> Frame:
        """The chunks of one plane put together."""
        sizes, place = self._layouts[series].sizes, {"T": time, "C": channel, "Z": z}
        letters = [letter for letter in sizes if letter in "YXS"]
        pixels = read_window(
            self.arrays[series][0], [place.get(letter, slice(None)) for letter in sizes]
        )
        return pixels.transpose([letters.index(letter) for letter in "YXS" if letter in letters])


def find_arrays(folder: Path) -> list[tuple[ZarrArray, str | None]]:
    """The arrays of a folder's images with their axes, ``None`` where it does not name them.

    Raises:
        ImageFault: If there are none, or a plate of wells.
    """
    said = read_attributes(folder)
    if "plate" in said:
        raise ImageFault("a plate of wells in OME-Zarr; name the folder of each field, or a table")
    if isinstance(said.get("multiscales"), list):
        return [image_of(folder, image) for image in said["multiscales"][:MAX_SERIES]]
    if "bioformats2raw.layout" in said:
        folders = [folder / str(number) for number in range(MAX_SERIES)]
        images = [inner for inner in folders if inner.is_dir()]
        return [image_of(inner, read_attributes(inner)["multiscales"][0]) for inner in images]
    return [(open_array(folder), None)]


def read_attributes(folder: Path) -> Mapping[str, Any]:
    """What a folder says of itself: of version 2, or of version 3 under ``ome``."""
    if (said := read_json(folder / ".zattrs")) is not None:
        return said
    attributes = (read_json(folder / "zarr.json") or {}).get("attributes", {})
    return {**attributes, **attributes.get("ome", {})}


def image_of(folder: Path, image: Mapping[str, Any]) -> tuple[ZarrArray, str | None]:
    """The array of an image's full resolution.

    Raises:
        ImageFault: If its path leaves the folder.
    """
    inner = Path(str(image["datasets"][0]["path"]))
    if inner.is_absolute() or ".." in inner.parts:
        raise ImageFault("OME-Zarr that names an array outside its folder, which is not opened")
    array = open_array(folder / inner)
    axes = image.get("axes")
    if axes is None:
        return array, OLD_AXES if len(array.shape) == len(OLD_AXES) else None
    names = [axis["name"] if isinstance(axis, dict) else axis for axis in axes]
    return array, "".join(str(name)[:1] for name in names).upper()


def layout_of(array: ZarrArray, said: str | None, axes: str | None) -> Layout:
    """What the axes of an array are.

    Raises:
        ImageFault: If nothing says it, or what is said does not fit.
    """
    wanted = "YX" if len(array.shape) == 2 else axes or said
    if wanted is None:
        shape = "×".join(map(str, array.shape))
        raise ImageFault(
            f"an array of {shape}, and nothing says what its axes are: pass transforms.stack.axes, "
            f"such as TCZYX ({MEANING})"
        )
    try:
        parsed = parse_axes(wanted)
    except ValueError:
        raise ImageFault(
            f"OME-Zarr with axes {wanted[:20]!r}; pass transforms.stack.axes"
        ) from None
    if len(parsed) != len(array.shape):
        raise ImageFault(f"an array of {len(array.shape)} axes, which are not {wanted[:20]}")
    letters = [letter for letter, _ in parsed]
    return Layout(dict(zip(letters, array.shape, strict=True)), np.dtype(array.dtype.type))
