"""The saved maps as numbers that the page can draw itself: any image under any methods.

A map is a grey PNG of 8 bits, whose level says the evidence on a scale of its own; superpixels are
a PNG whose red and green hold the label. The script of the page lays them over the image.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from markupsafe import Markup
from safetensors import SafetensorError, safe_open

from cellxai.files.folder import RunFolder
from cellxai.report.encoded_pictures import png
from cellxai.report.saved_files import MALFORMED, attempt, p_by_view, read_rows

LARGEST_SIDE = 256  # pixels of a map on the page; larger ones are thinned out
MAILED = 8_000_000  # letters of all images with their maps, on a page that is mailed
LETTERS_PER_IMAGE = 80_000  # where there are so many that the page is larger anyway
N_TRIED = 6  # images, by which it is judged how large all are
MARGIN = 0.85  # of what the others may take: smaller pictures compress less well
LARGEST_FILE = 2**30  # bytes of a file of maps that is read
ROBUST_PERCENTILE = 99.0  # full colour, as in the drawn pictures
NO_EVIDENCE, FULL = 128, 127  # levels: 128 is none, 1 and 255 are the full scale of either sign
MOST_IMAGES = 500  # with their maps; of more, the page would open too slowly
PREFIX = "map/"
MOST_VIEWS = 3  # beside an image


@dataclass(frozen=True)
class Known:
    """What other verbs found out about an image, by its id.

    Args:
        possible: The conformal set of classes, where ``evaluate`` wrote one.
        p: p-value of being known, where ``density`` scored it.
        unfamiliar: Whether the density flags it.
        views: The views that it surprises most, with their p-values.
    """

    possible: str | None = None
    p: float | None = None
    unfamiliar: bool | None = None
    views: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class BrowserData:
    """What the script of the page draws from.

    Args:
        script_data: The images with their maps as JSON for a script element.
        ids: Of the images in it.
    """

    script_data: Markup
    ids: frozenset[str]


def browser_data(folder: RunFolder, entries: list[Mapping[str, Any]]) -> BrowserData | None:
    """The images whose maps can be read; ``None`` if there is none.

    Args:
        folder: The run folder.
        entries: What ``explain/index.json`` says of each image.
    """
    known, shown = read_known(folder), entries[:MOST_IMAGES]
    images = describe_images(folder, shown, known, find_side(folder, shown, known))
    if not images:
        return None
    ids = frozenset(image["id"] for image in images)
    return BrowserData(as_script_data({"images": images, "n_all": len(entries)}), ids)


def find_side(
    folder: RunFolder, entries: Sequence[Mapping[str, Any]], known: Mapping[str, Known]
) -> int:
    """The longest side in pixels at which all images with their maps fit into the page."""
    tried = entries[:: -(-len(entries) // N_TRIED) or 1]
    images = describe_images(folder, tried, known, LARGEST_SIDE)
    if not images:
        return LARGEST_SIDE
    letters = sum(map(count_letters, images)) / len(images) * len(entries)
    allowed = MARGIN * max(MAILED, LETTERS_PER_IMAGE * len(entries))
    longest = max(max(image["width"], image["height"]) for image in images)
    return LARGEST_SIDE if letters <= allowed else int(longest * (allowed / letters) ** 0.5)


def count_letters(image: Mapping[str, Any]) -> int:
    """How long an image with its maps is on the page."""
    levels = sum(len(described["levels"]) for described in image["maps"].values())
    return len(image["pixels"]) + len(image["superpixels"]) + levels


def describe_images(
    folder: RunFolder,
    entries: Sequence[Mapping[str, Any]],
    known: Mapping[str, Known],
    side: int,
) -> list[dict[str, Any]]:
    """The images whose maps can be read, no side longer than ``side`` pixels."""
    images = []
    for entry in entries:
        try:
            path = folder.explain / "maps" / f"{entry['id']}.safetensors"
            images.append(describe_image(entry, path, folder.root, known, side))
        except (*MALFORMED, SafetensorError):
            continue  # its drawn pictures are on the page, or the reason why not
    return images


def describe_image(
    entry: Mapping[str, Any], path: Path, root: Path, known: Mapping[str, Known], side: int
) -> dict[str, Any]:
    """One image: what is known of it, its pixels, its superpixels and every map."""
    name = str(entry["id"])
    image, labels, maps = read_maps_file(path, root)
    pixels = to_pixels(image, side)
    of_image = known.get(name, Known())
    return {
        "id": name,
        "label": entry.get("label"),
        "predicted": str(entry["predicted"]),
        "probability": float(entry["probability"]),
        "part": str(entry["part"]),
        "explained": str(entry.get("explained") or entry["target"]),
        "possible": of_image.possible,
        "p": of_image.p,
        "unfamiliar": of_image.unfamiliar,
        "views": of_image.views,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "pixels": png(pixels),
        "superpixels": png(label_image(thin(labels, side))),
        "maps": {
            method: describe_map(values, labels, entry["explainers"][method], side)
            for method, values in maps.items()
            if method in entry["explainers"]
        },
    }


def read_maps_file(
    path: Path, root: Path
) -> tuple[Float[np.ndarray, "c h w"], Int[np.ndarray, "h w"], dict[str, np.ndarray]]:
    """Image in [0, 1], superpixels and maps of one image.

    Raises:
        ValueError: If the file leads out of the run folder, is too large, or its maps have not the
            size of the image.
    """
    if not path.resolve().is_relative_to(root.resolve()) or path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path.name} lies outside the run folder or is too large")
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    image, labels = tensors["image"], tensors["superpixels"]
    maps = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
    sizes = {labels.shape, *(values.shape for values in maps.values())}
    if image.ndim != 3 or sizes != {image.shape[1:]}:
        raise ValueError(f"{path.name}: maps of {sizes} on an image of {image.shape}")
    return image, labels, maps


def to_pixels(image: Float[np.ndarray, "c h w"], side: int) -> UInt8[np.ndarray, "y x *c"]:
    """The image as grey or RGB; of other planes, their mean."""
    bytes_ = (np.nan_to_num(image).clip(0, 1) * 255).round().astype(np.uint8)
    if len(bytes_) == 3 and (bytes_ != bytes_[0]).any():
        return np.stack([thin(plane, side) for plane in bytes_], axis=-1)
    return thin(bytes_.mean(axis=0).round().astype(np.uint8), side)


def thin(plane: np.ndarray, side: int) -> np.ndarray:
    """Rows and columns at equal distances, so that no side has more than ``side`` pixels."""
    scale = min(1.0, side / max(plane.shape))
    counts = [max(1, round(scale * length)) for length in plane.shape]
    rows, columns = (
        ((np.arange(count) + 0.5) * length / count).astype(int)
        for count, length in zip(counts, plane.shape, strict=True)
    )
    return plane[np.ix_(rows, columns)]


def describe_map(
    values: Float[np.ndarray, "h w"],
    labels: Int[np.ndarray, "h w"],
    row: Mapping[str, Any],
    side: int,
) -> dict[str, Any]:
    """A map's levels, the evidence of its full colour, and the sum over each superpixel."""
    finite = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    strengths = np.abs(finite)
    full = float(np.percentile(strengths, ROBUST_PERCENTILE)) or float(strengths.max())
    levels = np.zeros_like(finite) if full == 0 else (finite / full).clip(-1, 1)
    sums = np.bincount(labels.ravel().clip(0), weights=finite.ravel())
    return {
        "levels": png((NO_EVIDENCE + FULL * thin(levels, side)).round().astype(np.uint8)),
        "full": float(f"{full:.4g}"),
        "sums": [float(f"{total:.3g}") for total in sums],
        "status": str(row["status"]),
        "reason": str(row.get("reason") or ""),
    }


def label_image(labels: Int[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Labels as colours: red the lower, green the upper 8 bits."""
    planes = (labels % 256, labels // 256 % 256, np.zeros_like(labels))
    return np.stack(planes, axis=-1).astype(np.uint8)


def read_known(folder: RunFolder) -> dict[str, Known]:
    """What evaluation and density say of each image; nothing where a file is missing or broken."""
    predictions = rows(folder.evaluation / "predictions.csv")
    possible = {row["id"]: row.get("possible_classes") for row in predictions}
    scored = {row["id"]: row for row in rows(folder.density / "scores.csv") if "log_p" in row}
    return {
        name: Known(possible.get(name), *read_familiarity(scored.get(name)))
        for name in {*possible, *scored}
    }


def read_familiarity(
    row: Mapping[str, str] | None,
) -> tuple[float | None, bool | None, tuple[tuple[str, float], ...]]:
    """p-value, whether it is flagged, and its most surprised views, of a row of ``scores.csv``."""
    if row is None:
        return None, None, ()
    p = float(row["p"]) if row.get("p") else math.exp(float(row["log_p"]))
    return p, row["unfamiliar"] == "1", p_by_view(row)[:MOST_VIEWS]


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table; none where it cannot be read, which its own section says."""
    found, _ = attempt(path, lambda: read_rows(path))
    return found or []


def as_script_data(value: object) -> Markup:
    """JSON that may stand in a script element, whatever a name in it tries."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
