"""The maps of an image on disk with what is told of them: what a second start goes on from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.provenance import identify_model
from cellxai.files.folder import atomic
from cellxai.files.identity import describe_settings, hash_json, hash_source, hash_tensors

ENTRY, SETTINGS = "entry", "settings"  # names in the header of the file


@dataclass(frozen=True)
class Saved:
    """What one file holds.

    Args:
        entry: Of the image, as ``index.json`` has it.
        tensors: ``image``, ``superpixels``, and ``map/<explainer>`` each.
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


def tensors_of(
    context: Context, image: Tensor, found: Mapping[str, Attribution]
) -> dict[str, Tensor]:
    """Image, superpixels and every map of one image, by the names that they have in the file."""
    tensors = {f"map/{name}": one.values[0].detach().float() for name, one in found.items()}
    tensors |= {"image": image[0], "superpixels": context.superpixels[0]}
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def write_maps(path: Path, saved: Saved, settings: str) -> None:
    """Writes the maps of one image and its entry, whole or not at all.

    Args:
        path: A ``.safetensors`` file.
        saved: What is written.
        settings: What it was made with, see :func:`settings_of`.
    """
    header = {ENTRY: json.dumps(saved.entry), SETTINGS: settings}
    with atomic(path) as temporary:
        save_file(saved.tensors, temporary, metadata=header)


def read_maps(path: Path, settings: str) -> Saved | None:
    """What :func:`write_maps` wrote with the same settings; None where there is no such file."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get(SETTINGS) != settings:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return Saved(json.loads(header[ENTRY]), tensors)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None


def settings_of(
    model: Model, explainers: Mapping[str, Explainer], *parts: object, seed: int
) -> str:
    """A hash of all that maps depend on but the image: network, score, methods, their code, seed.

    Args:
        model: What is explained.
        explainers: By name.
        parts: Other settings objects: superpixels, baseline.
        seed: Of every random choice.

    Raises:
        ValueError: If one of them does not keep an argument, so that it cannot be told from others.
    """
    methods = [[name, *told(explainer)] for name, explainer in explainers.items()]
    return hash_json([identify_model(model), methods, [told(part) for part in parts], seed])


def settings_of_image(
    settings: str, image: Tensor, target: int, truth: Mapping[str, Tensor]
) -> str:
    """Likewise with the image, the explained column, and what is known of the image."""
    return hash_json([settings, hash_tensors({"image": image, **truth}), target])


def told(settings: object) -> list[str]:
    """Class, arguments and code of a settings object."""
    return [describe_settings(settings), hash_source(type(settings))]
