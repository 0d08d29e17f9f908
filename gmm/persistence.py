"""Mixtures on disk: tensors and JSON in one ``.safetensors`` file, never a pickle."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gmm.covariance import COVARIANCES
from gmm.em import Run
from gmm.estimator import GaussianMixture
from gmm.parameters import Parameters
from gmm.validation import check_settings

FORMAT = "gmm.GaussianMixture"
VERSION = 1
SETTINGS = (
    "n_components",
    "covariance_type",
    "tol",
    "reg_covar",
    "max_iter",
    "n_init",
    "init_params",
    "warm_start",
    "dtype",
)
TENSORS = ("weights", "means", "precisions_cholesky")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends without an error.

    It lies in the same folder, since a rename is atomic only within one file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays: writers such as matplotlib choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Writes UTF-8 text, atomically."""
    with atomic(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save(mixture: GaussianMixture, path: Path | str) -> None:
    """Writes a fitted mixture, atomically.

    Initial values and the random state are left out: they are of the fit, not of the mixture.

    Raises:
        NotFittedError: If the mixture has not been fitted.
    """
    parameters = mixture.parameters_
    settings = mixture.get_params(deep=False)
    seed = mixture.random_state
    fitted = {
        "format": FORMAT,
        "version": VERSION,
        "settings": {name: settings[name] for name in SETTINGS},
        "random_state": int(seed) if isinstance(seed, int) else None,
        "converged": mixture.converged_,
        "lower_bound": mixture.lower_bound_,
        "lower_bounds": mixture.lower_bounds_,
    }
    tensors = {name: getattr(parameters, name).cpu().contiguous() for name in TENSORS}
    with atomic(Path(path)) as temporary:
        save_file(tensors, temporary, metadata={"gmm": json.dumps(fitted)})


def load(path: Path | str, *, device: str | None = None) -> GaussianMixture:
    """Reads a mixture that answers as the saved one did.

    Args:
        path: A file from :func:`save`.
        device: Where the mixture computes, such as ``cuda``; None for where its samples are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or was not written by :func:`save`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected a mixture saved by gmm fit")
    try:
        tensors, text = _read(path)
        return _restored(tensors, json.loads(text), device)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ValueError(
            f"{path}: {_one_line(error)}; expected a .safetensors file written by gmm fit or "
            f"gmm.save, write it again"
        ) from error


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if "gmm" not in metadata:
            raise ValueError("no mixture in this file")
        return {name: file.get_tensor(name) for name in TENSORS}, metadata["gmm"]


def _restored(
    tensors: dict[str, Tensor], fitted: dict[str, Any], device: str | None
) -> GaussianMixture:
    if (fitted["format"], fitted["version"]) != (FORMAT, VERSION):
        raise ValueError(
            f"format {fitted['format']} version {fitted['version']} is not {FORMAT} {VERSION}"
        )
    settings = {name: fitted["settings"][name] for name in SETTINGS}
    check_settings(settings)
    mixture = GaussianMixture(**settings, random_state=fitted["random_state"], device=device)
    parameters = Parameters(**tensors)
    _check_tensors(parameters, mixture)
    run = Run(
        parameters,
        lower_bound=fitted["lower_bound"],
        lower_bounds=tuple(fitted["lower_bounds"]),
        converged=fitted["converged"],
    )
    return mixture.set_fitted(run, dtype=parameters.means.dtype)


def _check_tensors(parameters: Parameters, mixture: GaussianMixture) -> None:
    covariance = COVARIANCES[mixture.covariance_type]
    n_components, n_features = mixture.n_components, parameters.means.shape[-1]
    expected = {
        "weights": (1, n_components),
        "means": (1, n_components, n_features),
        "precisions_cholesky": (1, *covariance.inner_shape(n_components, n_features)),
    }
    for name, shape in expected.items():
        tensor = getattr(parameters, name)
        if tuple(tensor.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {shape}")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds NaN or infinity")


def _one_line(error: Exception) -> str:
    text = f"no {error}" if isinstance(error, KeyError) else str(error)
    return " ".join(text.split())
