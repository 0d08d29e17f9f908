"""A pipeline in one ``.safetensors`` file: tensors and JSON, never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from cellxai.density.fitted_view import FittedView
from cellxai.density.settings import PipelineSettings
from cellxai.density.verdicts import Calibration, Panel
from cellxai.density.views import View
from cellxai.files.config import as_config, build_from
from cellxai.files.digest import check_digest, vouched
from gmm.persistence.encoding import Arrays, decode, encode
from gmm.persistence.saving import DAMAGE

KEY, VERSION = "cellxai.density", 3
SHOWN = 12  # letters of a hash
Parts = tuple[PipelineSettings, dict[str, View], int, dict[str, FittedView], Calibration]


def write_pipeline(
    path: Path,
    settings: PipelineSettings,
    views: Mapping[str, View],
    seed: int,
    fitted: Mapping[str, FittedView],
    calibration: Calibration,
    weights: str,
) -> None:
    """Writes a pipeline, atomically.

    Args:
        path: The file.
        settings: What is flagged.
        views: The views, by name.
        seed: Seed of the fit.
        fitted: What their densities learned.
        calibration: What is usual.
        weights: Hash of the network's weights; empty without a network.
    """
    arrays: Arrays = {}
    header = {
        "version": VERSION,
        "weights": weights,
        "settings": as_config(replace(settings, views=dict(views))),
        "seed": seed,
        "views": {
            name: {
                "remembered": view.remembered,
                "surprises": encode(view.surprises, f"{name}.surprises", arrays),
                "density": encode(dict(view.density.state()), f"{name}.density", arrays),
            }
            for name, view in fitted.items()
        },
        "panels": [
            {
                "views": list(panel.views),
                "images": encode(panel.images, f"panel.{number}.images", arrays),
                "surprises": encode(panel.surprises, f"panel.{number}.surprises", arrays),
            }
            for number, panel in enumerate(calibration.panels)
        ],
    }
    with vouched(path) as temporary:
        save_file(arrays, temporary, metadata={KEY: json.dumps(header)})


def read_pipeline(path: Path, weights: str) -> Parts:
    """Reads what :func:`write_pipeline` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        PermissionError: If it may not be read.
        ValueError: If it is damaged, of an earlier version, or of other weights.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected one of `cellxai density`")
    path.open("rb").close()  # whoever may not read it is told that, and not that it is damaged
    check_digest(path, "copy it again, or run `cellxai density`")
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})[KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        check_header(header, weights)
        return restore(header, arrays, str(path))
    except DAMAGE as error:
        problem = " ".join(str(error).split())
        raise ValueError(
            f"{path}: no density of this run ({problem}); make it anew by `cellxai density --run "
            f"{path.parent.parent}`"
        ) from error


def check_header(header: Mapping[str, Any], weights: str) -> None:
    """Refuses a file of another version or network.

    Raises:
        ValueError: With what it is.
    """
    if header["version"] != VERSION:
        raise ValueError(f"version {header['version']} of an earlier release, expected {VERSION}")
    if weights and header["weights"] != weights:
        raise ValueError(
            f"it is of weights with SHA-256 {header['weights']!s:.{SHOWN}}…, and this network has "
            f"{weights:.{SHOWN}}…"
        )


def restore(header: Mapping[str, Any], arrays: Arrays, origin: str) -> Parts:
    """The parts of a pipeline from its header and arrays."""
    settings = PipelineSettings(**build_from(PipelineSettings, dict(header["settings"]), origin))
    views = dict(settings.views or {})
    fitted = {
        name: restore_view(views[name], record, arrays) for name, record in header["views"].items()
    }
    panels = tuple(
        Panel(
            tuple(record["views"]),
            as_tensors(decode(record["images"], arrays)),
            as_tensors(decode(record["surprises"], arrays)),
        )
        for record in header["panels"]
    )
    n_images = len(next(iter(fitted.values())).surprises)
    calibration = Calibration(panels, len(views), n_images, settings.percent, settings.guarantee)
    return settings, views, int(header["seed"]), fitted, calibration


def restore_view(view: View, record: Mapping[str, Any], arrays: Arrays) -> FittedView:
    """A view with what its density learned."""
    density = view.density.restore(as_tensors(decode(record["density"], arrays)))
    surprises = as_tensors(decode(record["surprises"], arrays))
    return FittedView(view, density, bool(record["remembered"]), surprises)


def as_tensors(value: Any) -> Any:
    """The same value with tensors for its arrays."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {key: as_tensors(part) for key, part in value.items()}
    return tuple(map(as_tensors, value)) if isinstance(value, tuple) else value
