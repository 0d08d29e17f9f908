"""A density pipeline in one ``.safetensors`` file: tensors and JSON, never a pickle."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from cellxai.density.fitted import FittedDensity
from cellxai.density.projection import Projection
from cellxai.density.settings import PipelineSettings
from cellxai.density.thresholds import Calibration
from cellxai.runfolder import atomic
from gmm.encoding import Arrays, decode, encode
from gmm.persistence import DAMAGE

FORMAT = "cellxai.density"
VERSION = 1
Pipeline = tuple[PipelineSettings, int, FittedDensity, Calibration]


def write_pipeline(
    path: Path,
    settings: PipelineSettings,
    seed: int,
    fitted: FittedDensity,
    calibration: Calibration,
) -> None:
    """Writes a pipeline, atomically."""
    arrays: Arrays = {}
    header = {
        "format": FORMAT,
        "version": VERSION,
        "settings": asdict(settings),
        "seed": seed,
        "percent": calibration.percent,
        "n_folds": calibration.n_folds,
        "mixtures": [
            encode(mixture, f"mixture.{place}", arrays)
            for place, mixture in enumerate(fitted.mixtures)
        ],
    }
    tensors = {
        "mean": fitted.projection.mean,
        "scale": fitted.projection.scale,
        "axes": fitted.projection.axes,
        "log_shares": fitted.log_shares,
        "classes": fitted.classes,
        "fit_log_density": fitted.fit_log_density,
        "calibration.log_density": calibration.log_density,
        "calibration.error": calibration.error,
    }
    arrays |= {
        name: np.ascontiguousarray(values.numpy())
        for name, values in tensors.items()
        if values is not None
    }
    with atomic(path) as temporary:
        save_file(arrays, temporary, metadata={FORMAT: json.dumps(header)})


def read_pipeline(path: Path) -> Pipeline:
    """Reads what :func:`write_pipeline` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or was written by something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected one of `cellxai density`")
    try:
        return _restored(*_read(path))
    except DAMAGE as error:
        what = " ".join(str(error).split())
        raise ValueError(f"{path}: no density pipeline ({what}); run `cellxai density`") from error


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with safe_open(path, framework="np") as file:
        header = json.loads((file.metadata() or {})[FORMAT])
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _restored(header: dict[str, Any], arrays: Arrays) -> Pipeline:
    if header["version"] != VERSION:
        raise ValueError(f"version {header['version']}, expected {VERSION}")

    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name])

    def optional(name: str) -> torch.Tensor | None:
        return tensor(name) if name in arrays else None

    mixtures = tuple(decode(one, arrays) for one in header["mixtures"])
    projection = Projection(tensor("mean"), tensor("scale"), optional("axes"))
    fitted = FittedDensity(
        projection, mixtures, tensor("log_shares"), optional("classes"), tensor("fit_log_density")
    )
    calibration = Calibration(
        tensor("calibration.log_density"),
        optional("calibration.error"),
        float(header["percent"]),
        int(header["n_folds"]),
    )
    # Whatever is inconsistent in shape or value shows when it is asked.
    if not fitted.log_density(projection.mean[None]).isfinite().all():
        raise ValueError("its mean has no finite density")
    return PipelineSettings(**header["settings"]), int(header["seed"]), fitted, calibration
