"""A COCO file: images, and the objects in each, with everything that is wrong named."""

import codecs
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Int

from cellxai.data.image_formats import MAX_PIXELS
from cellxai.data.masks.coco_segmentation import parse_segmentation, pixels_of_part
from cellxai.data.masks.label_maps import KnownMask, draw_label_map
from cellxai.data.records import Fault, MaskLoader, brief
from cellxai.files.identity import hash_content
from gmm.files.regular import NO_FILE, explain_unreadable

MOST_BYTES = 2**31  # the largest file of LIVECell has a third


@dataclass
class CocoImage:
    """An image of a COCO file and what is annotated in it.

    Args:
        where: Where its entry stands in the COCO file.
        file_name: File name as the COCO file gives it.
        shape: Height and width in pixels.
        categories: Names of the categories of its objects.
        objects: The parts of each object, in the order of the file.
        classes: Names of their categories, in the same order.
        complete: Whether every object could be read.
    """

    where: str
    file_name: PurePosixPath
    shape: tuple[int, int]
    categories: set[str] = field(default_factory=set)
    objects: list[list[np.ndarray]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    complete: bool = True


def read_coco(path: Path) -> tuple[list[CocoImage], list[Fault]]:
    """The images of a COCO file and every fault in it, one for each broken entry.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a COCO file at all.
    """
    content = load_lists(path)
    images, faults = {}, []
    for number, entry in enumerate(content["images"]):
        where = f"{path.name} images[{number}]"
        try:
            key, image = parse_image(where, entry)
            refuse_known_id(key, images)
            images[key] = image
        except ValueError as error:
            faults.append(Fault(where, str(error)))
    names = category_names(content.get("categories"))
    for number, entry in enumerate(content["annotations"]):
        try:
            add_object(entry, images, names)
        except ValueError as error:
            faults.append(Fault(f"{path.name} annotations[{number}]", str(error)))
    return list(images.values()), faults


def load_lists(path: Path) -> dict[str, Any]:
    """The lists of a COCO file; objects that are keyed by their ids become a list, too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON, or lacks ``images`` or ``annotations``.
    """
    reason = explain_unreadable(path)
    if reason == NO_FILE:
        raise FileNotFoundError(f"{path}: no such file, expected COCO annotations in JSON")
    if reason is not None:
        raise ValueError(f"{path}: {reason}; expected COCO annotations in JSON")
    try:
        content = json.loads(read_json_text(path))
    except (ValueError, RecursionError) as error:  # also of a number of too many digits
        raise ValueError(f"{path}: not valid JSON: {' '.join(str(error).split())[:200]}") from None
    content = content if isinstance(content, dict) else {}
    lists = {}
    for name in ("images", "annotations"):
        entries = content.get(name)
        lists[name] = list(entries.values()) if isinstance(entries, dict) else entries
        if not isinstance(lists[name], list):
            raise ValueError(f"{path}: no list {name!r}, expected a COCO file with it")
    return content | lists


def read_json_text(path: Path) -> str:
    """The text of a JSON file; what does not begin like one is not read whole.

    Raises:
        ValueError: If it is no object in JSON, or not UTF-8.
    """
    with path.open("rb") as file:
        start = file.read(2**12)
        if not start.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[")):
            raise ValueError(f"begins with {start[:8]!r}, expected an object")
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ValueError(f"above {MOST_BYTES:,} bytes; split it into several files")
        return (start + file.read()).decode("utf-8-sig")


def parse_image(where: str, entry: Any) -> tuple[Any, CocoImage]:
    """The key and the size of an image.

    Raises:
        ValueError: If one is missing, or the file name leaves the folder of images.
    """
    entry = entry if isinstance(entry, dict) else {}
    key, name = entry.get("id"), entry.get("file_name")
    height, width = entry.get("height"), entry.get("width")
    if not isinstance(key, (int, str)):
        raise ValueError(f"id {brief(key)}, expected a number")
    file_name = PurePosixPath(name) if isinstance(name, str) else PurePosixPath()
    if not file_name.name or file_name.is_absolute() or ".." in file_name.parts:
        raise ValueError(f"file_name {brief(name)}, expected a name within the folder of images")
    if not all(type(side) is int and side > 0 for side in (height, width)):
        got = f"height {brief(height)} and width {brief(width)} of {brief(name)}"
        raise ValueError(f"{got}, expected positive numbers of pixels")
    if height * width > MAX_PIXELS:
        got = f"{brief(height)}×{brief(width)} pixels of {brief(name)}"
        raise ValueError(f"{got} are too large, expected at most {MAX_PIXELS:,}")
    return key, CocoImage(where, file_name, (height, width))


def refuse_known_id(key: Any, images: Mapping[Any, CocoImage]) -> None:
    """Raises ``ValueError`` if an image with this id was there before."""
    if key in images:
        raise ValueError(
            f"id {brief(key)} is that of {images[key].where} already, expected another"
        )


def category_names(categories: Any) -> dict[Any, str]:
    """Names by id; entries without id or name are passed over, and their objects become faults."""
    if isinstance(categories, dict):  # keyed by their ids
        categories = list(categories.values())
    categories = categories if isinstance(categories, list) else []
    entries = [entry for entry in categories if isinstance(entry, dict)]
    return {
        entry["id"]: entry["name"]
        for entry in entries
        if isinstance(entry.get("id"), (int, str)) and isinstance(entry.get("name"), str)
    }


def add_object(entry: Any, images: Mapping[Any, CocoImage], names: Mapping[Any, str]) -> None:
    """Adds an annotated object to its image, which is incomplete if that fails.

    Raises:
        ValueError: If the image or the category is unknown, or the segmentation is broken.
    """
    entry = entry if isinstance(entry, dict) else {}
    key, category = entry.get("image_id"), entry.get("category_id")
    if not isinstance(key, (int, str)) or key not in images:
        raise ValueError(f"image_id {brief(key)} is not the id of a sound image in the file")
    image = images[key]
    if not isinstance(category, (int, str)) or category not in names:
        image.complete = False
        raise ValueError(f"category_id {brief(category)} is not an id in the file's categories")
    image.categories.add(names[category])
    try:
        image.objects.append(parse_segmentation(entry.get("segmentation"), image.shape))
        image.classes.append(names[category])
    except ValueError as error:
        image.complete = False
        raise ValueError(f"in {brief(str(image.file_name))}: {error}") from None


def label_map_loader(objects: Sequence[list[np.ndarray]], shape: tuple[int, int]) -> MaskLoader:
    """Draws the objects when called: the first gets label 1, later ones lie on top."""

    def pixels_of(parts: list[np.ndarray]) -> Int[np.ndarray, " p"]:
        return np.concatenate([pixels_of_part(part, shape) for part in parts])

    def identify() -> str:
        parts = (part for parts in objects for part in parts)
        kinds = [[(str(part.dtype), part.shape) for part in parts] for parts in objects]
        return hash_content(str((shape, kinds)), *parts)

    return KnownMask(lambda: draw_label_map(map(pixels_of, objects), shape), identify)
