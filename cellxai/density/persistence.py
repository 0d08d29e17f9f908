"""A density in one ``.safetensors`` file: tensors and JSON, never a pickle."""

import json
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from cellxai.density.fitting import FittedDensity
from cellxai.density.p_values import Calibration
from cellxai.density.projection import Projection
from cellxai.files.digest import check_digest, vouched
from gmm.persistence.encoding import Arrays, decode, encode
from gmm.persistence.saving import DAMAGE

VERSION = 1
Format = Literal["cellxai.density", "cellxai.places"]
CONTENT: Mapping[Format, str] = {
    "cellxai.density": "density pipeline",
    "cellxai.places": "density of places",
}
Settings = TypeVar("Settings")


def write_density(
    path: Path,
    kind: Format,
    settings: Mapping[str, Any],
    fitted: FittedDensity,
    calibration: Calibration,
) -> None:
    """Writes a density, atomically.

    Args:
        path: The file.
        kind: What the density is of; a file of one kind is not read as another.
        settings: Plain values, which are returned unchanged when the file is read.
        fitted: The density.
        calibration: The scores that set its threshold.
    """
    arrays: Arrays = {}
    header = {
        **settings,
        "format": kind,
        "version": VERSION,
        "percent": calibration.percent,
        "n_folds": calibration.n_folds,
        "mixtures": [
            encode(mixture, f"mixture.{index}", arrays)
            for index, mixture in enumerate(fitted.mixtures)
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
    with vouched(path) as temporary:
        save_file(arrays, temporary, metadata={kind: json.dumps(header)})


def read_density(
    path: Path, kind: Format, settings_of: Callable[[Mapping[str, Any]], Settings]
) -> tuple[Settings, FittedDensity, Calibration]:
    """Reads what :func:`write_density` wrote.

    Args:
        path: The file.
        kind: What the density should be of.
        settings_of: Makes settings from the plain values.

    Raises:
        FileNotFoundError: If there is no such file.
        PermissionError: If it may not be read.
        ValueError: If it is damaged, or not a density of this kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected one of `cellxai density`")
    path.open("rb").close()  # whoever may not read it is told that, and not that it is damaged
    check_digest(path, "copy it again, or run `cellxai density`")
    try:
        header, arrays = _read(path, kind)
        return settings_of(header), *_restore(header, arrays)
    except DAMAGE as error:
        problem = " ".join(str(error).split())
        raise ValueError(
            f"{path}: no {CONTENT[kind]} ({problem}); run `cellxai density`"
        ) from error


def _read(path: Path, kind: Format) -> tuple[dict[str, Any], Arrays]:
    with safe_open(path, framework="np") as file:
        header = json.loads((file.metadata() or {})[kind])
        if header["version"] != VERSION:
            raise ValueError(f"version {header['version']}, expected {VERSION}")
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _restore(header: dict[str, Any], arrays: Arrays) -> tuple[FittedDensity, Calibration]:
    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(arrays[name])

    def optional(name: str) -> torch.Tensor | None:
        return tensor(name) if name in arrays else None

    mixtures = tuple(decode(mixture, arrays) for mixture in header["mixtures"])
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
    # Scoring one point reveals arrays whose shapes or values do not fit together.
    at_mean = float(fitted.log_density(projection.mean[None]))
    if not isfinite(at_mean):
        raise ValueError(f"the log density at the mean of the features is {at_mean}")
    return fitted, calibration
