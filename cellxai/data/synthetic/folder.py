"""The folder that ``synthesize`` makes: what it was made with, and which image is which."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from cellxai.files.folder import atomic


def recorded_arguments(root: Path) -> Any:
    """The arguments that a folder was made with, from its ``synthesize.json``.

    Raises:
        FileNotFoundError: If the folder was not made by ``synthesize``.
    """
    record = root / "synthesize.json"
    if not record.is_file():
        raise FileNotFoundError(f"{record}: no such file, expected a folder made by `synthesize`")
    return json.loads(record.read_text(encoding="utf-8"))


def check_rendering(root: Path, made_by: int | None, expected: int) -> None:
    """Raises ``ValueError`` if a folder was rendered by another version."""
    if made_by != expected:
        raise ValueError(
            f"{root} was rendered by version {made_by}, expected {expected}; make it anew"
        )


def number_of_image(root: Path, image_id: str, prefix: str, n_images: int) -> int:
    """The number of an image in a folder.

    Raises:
        ValueError: If the folder holds no such image.
    """
    number = image_id.removeprefix(prefix)
    if not number.isdecimal() or int(number) >= n_images:
        raise ValueError(f"{root} holds no image {image_id!r}, expected {prefix}000000 and on")
    return int(number)


def write_png(
    path: Path,
    image: UInt8[ndarray, "h w"] | UInt16[ndarray, "h w"],
    options: Sequence[int] = (),
) -> None:
    """Writes one plane, whole or not at all; ``options`` are those of OpenCV's encoder."""
    encoded = cv2.imencode(".png", image, [*options])[1]
    with atomic(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
