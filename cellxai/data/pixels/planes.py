"""Which planes of an image are looked at, and what they are called."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, UInt

from cellxai.data.image_formats import ImageFault

Planes = Literal["grey", "rgb"] | list[str] | dict[str, int]
"""``grey``, ``rgb``, names in the order of the file, or names with their places from 0."""

N_COLOURS = 3  # what networks for photographs take; a grey plane is repeated for them


def plane_names(planes: Planes) -> tuple[str, ...]:
    """The names of the planes in the order of the network's input; none of grey and RGB."""
    return () if isinstance(planes, str) else tuple(planes)


def plane_places(planes: Planes) -> list[int]:
    """Where each named plane lies in the file."""
    return list(planes.values()) if isinstance(planes, dict) else list(range(len(planes)))


def count_inputs(planes: Planes) -> int:
    """Planes that the network takes: three of grey, which is repeated, and of RGB."""
    return len(plane_names(planes)) or N_COLOURS


def check_planes(planes: Planes) -> None:
    """Refuses names that are empty or come twice, and places that do.

    Raises:
        ValueError: Naming them.
    """
    if isinstance(planes, str):
        if planes not in ("grey", "rgb"):
            raise ValueError(
                f"planes={planes!r}: expected 'grey', 'rgb', or names such as [nuclei, actin]"
            )
        return
    names, places = list(planes), plane_places(planes)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"planes={planes}: expected at least one name, and none that is blank")
    if len({*names}) < len(names) or len({*places}) < len(places) or min(places) < 0:
        raise ValueError(
            f"planes={planes}: expected each name and each place once, places counted from 0"
        )


def take_planes(
    image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"],
    planes: list[str] | dict[str, int],
) -> UInt[np.ndarray, "h w p"] | Float32[np.ndarray, "h w p"]:
    """The named planes of an image in the order of their names; further ones are not looked at.

    Raises:
        ImageFault: If the image lacks one of them.
    """
    stored = image.reshape(*image.shape[:2], -1)
    places = plane_places(planes)
    n_planes = stored.shape[2]
    if n_planes <= max(places):
        raise ImageFault(
            f"got {count(n_planes)}, expected {'' if len(places) > max(places) else 'at least '}"
            f"{max(places) + 1}: {describe(planes)} (transforms.planes)"
        )
    return stored[..., places]


def check_colours(
    image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"], planes: str
) -> UInt[np.ndarray, "h w *colours"] | Float32[np.ndarray, "h w *colours"]:
    """An image of one plane as [h w], one of three as it is.

    Raises:
        ImageFault: If it has other planes, which grey and RGB say nothing of.
    """
    if image.shape[2:] == (1,):
        return image[..., 0]
    if image.ndim == 3 and image.shape[2] != N_COLOURS:
        raise ImageFault(
            f"got {count(image.shape[2])}, expected one or three by transforms.planes={planes}; "
            "name them: transforms.planes='[nuclei, actin, …]'"
        )
    return image


def refuse_planes(
    image: UInt[np.ndarray, "h w *c"] | Float32[np.ndarray, "h w *c"], planes: Planes
) -> None:
    """Refuses an image that lacks a named plane, or has planes that only names could tell apart.

    Raises:
        ImageFault: Naming what it has and what was expected.
    """
    if isinstance(planes, str):
        check_colours(image, planes)
    else:
        take_planes(image, planes)


def count(n_planes: int) -> str:
    """So many planes, in words."""
    return f"{n_planes} plane{'' if n_planes == 1 else 's'}"


def describe(planes: Planes) -> str:
    """The planes in a line: names, with places where they were given."""
    if isinstance(planes, dict):
        return ", ".join(f"{name} at {place}" for name, place in planes.items())
    return planes if isinstance(planes, str) else ", ".join(planes)


def rename_colour(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config whose ``transforms.colour``, as written before planes had names, is ``planes``."""
    transforms = config.get("transforms")
    if not isinstance(transforms, Mapping) or transforms.get("colour") is None:
        return dict(config)
    return {**config, "transforms": {**transforms, "planes": transforms["colour"], "colour": None}}
