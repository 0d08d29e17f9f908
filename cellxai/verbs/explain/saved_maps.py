"""The maps of an image on disk with its entry in the index: what a second start goes on from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.provenance import identify_model
from cellxai.files.digest import check_digest, vouched
from cellxai.files.identity import describe_settings, hash_json, hash_source, hash_tensors

ENTRY, SETTINGS = "entry", "settings"  # names in the header of the file


@dataclass(frozen=True)
class SavedMaps:
    """What one file of maps holds.

    Args:
        entry: What ``index.json`` says of the image.
        tensors: ``image``, ``superpixels``, and one ``map/<explainer>`` for each explainer; of
            images with named planes ``planes/<explainer>``, too, for those that tell them apart.
    """

    entry: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def maps(self) -> dict[str, Tensor]:
        """The map of each explainer by its name."""
        prefix = "map/"
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def collect_tensors(
    context: Context,
    image: Tensor,
    attributions: Mapping[str, Attribution],
    with_planes: bool = False,
) -> dict[str, Tensor]:
    """Image, superpixels and every map of one image, by the names that they have in the file.

    Args:
        context: Holds the superpixels.
        image: The image.
        attributions: What each explainer answered.
        with_planes: Whether maps are kept by plane as well.
    """
    tensors = {
        f"map/{name}": attribution.values[0].detach().float()
        for name, attribution in attributions.items()
    }
    if with_planes:
        tensors |= {
            f"planes/{name}": attribution.plane_values[0].detach().float()
            for name, attribution in attributions.items()
            if attribution.plane_values is not None
        }
    tensors |= {"image": image[0], "superpixels": context.superpixels[0]}
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def write_maps(path: Path, saved: SavedMaps, settings: str) -> None:
    """Writes the maps of one image and its entry, whole or not at all.

    Args:
        path: A ``.safetensors`` file.
        saved: What is written.
        settings: Hash of what it was made with, see :func:`hash_settings`.
    """
    header = {ENTRY: json.dumps(saved.entry), SETTINGS: settings}
    with vouched(path) as temporary:
        save_file(saved.tensors, temporary, metadata=header)


def read_maps(path: Path, settings: str) -> SavedMaps | None:
    """What :func:`write_maps` wrote with the same settings; None where there is no such file."""
    try:
        check_digest(path)
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get(SETTINGS) != settings:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return SavedMaps(json.loads(header[ENTRY]), tensors)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def maps_by_explainer(paths: Sequence[Path]) -> dict[str, Any]:
    """The maps of several files by explainer: [b h w], or a list of [h w] of several sizes."""
    by_name: dict[str, list[Tensor]] = {}
    for path in paths:
        check_digest(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, values in SavedMaps({}, tensors).maps.items():
            by_name.setdefault(name, []).append(values)
    return {
        name: torch.stack(maps) if len({m.shape for m in maps}) == 1 else maps
        for name, maps in by_name.items()
    }


def hash_settings(
    model: Model, explainers: Mapping[str, Explainer], *parts: object, seed: int
) -> str:
    """A hash of what maps depend on beside the image: network, score, methods, their code, seed.

    Args:
        model: What is explained.
        explainers: Explainers by name.
        parts: Other settings objects: superpixels, baseline.
        seed: Seed of every random choice.

    Raises:
        ValueError: If one of them does not keep an argument, and so cannot be told from others.
    """
    methods = [[name, *describe(explainer)] for name, explainer in explainers.items()]
    return hash_json([identify_model(model), methods, [describe(part) for part in parts], seed])


def hash_image_settings(
    settings: str, image: Tensor, target: int, truth: Mapping[str, Tensor]
) -> str:
    """A hash of the settings, the image, the explained column and the known regions."""
    return hash_json([settings, hash_tensors({"image": image, **truth}), target])


def describe(settings: object) -> list[str]:
    """Class, arguments and code of a settings object."""
    return [describe_settings(settings), hash_source(type(settings))]
