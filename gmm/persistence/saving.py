"""Estimators on disk: tensors and JSON in one ``.safetensors`` file, never a pickle."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gmm.base import BaseMixture
from gmm.detector import DensityDetector, check_detector_settings
from gmm.files.atomic import atomic
from gmm.files.matrices import check_file
from gmm.persistence.encoding import CLASSES, Arrays, decode, encode
from gmm.samples.placement import as_floats
from gmm.settings import check_settings, check_weights

FORMAT = "gmm.estimator"
VERSION = 2  # 1 had no checksum

# What readers raise at a damaged or foreign file; RuntimeError comes from torch for shapes that do
# not fit each other, and from JSON that is nested too deeply.
DAMAGE = (
    SafetensorError, LookupError, TypeError, AttributeError, ValueError, OSError, RuntimeError
)  # fmt: skip


def save(estimator: BaseMixture | DensityDetector, path: Path | str) -> None:
    """Writes a fitted mixture or detector, atomically.

    The file is its own evidence: beside the tensors it holds, as JSON under the metadata key
    ``gmm``, the format's version, the class, all settings, what was learned and the SHA-256 of it
    all. ``device`` and a ``RandomState`` are left out: they belong to the machine and to the fit.

    Raises:
        TypeError: If it is no estimator of this package.
        NotFittedError: If it has not been fitted.
        OSError: If the file cannot be written.
    """
    if type(estimator).__name__ not in CLASSES:
        raise TypeError(
            f"estimator is a {type(estimator).__name__}, expected a fitted {' or '.join(CLASSES)}"
        )
    arrays: Arrays = {}
    header = {"format": FORMAT, "version": VERSION, **encode(estimator, "", arrays)}
    estimator.parameters_  # noqa: B018 - raises NotFittedError
    header["dtype"] = sorted({str(values.dtype) for values in arrays.values()})
    header["sha256"] = _digest(header, arrays)
    with atomic(Path(path)) as temporary:
        save_file(arrays, temporary, metadata={"gmm": json.dumps(header, allow_nan=False)})


def load(path: Path | str, *, device: str | None = None) -> Any:
    """Reads a :class:`GaussianMixture` or detector that answers as the saved one did.

    Its attributes are arrays, whatever they were when it was saved.

    Args:
        path: A file from :func:`save`.
        device: Where the mixture computes, such as ``cuda``; None for where its samples are.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, was altered, was not written by :func:`save`, or is no file.
    """
    path = Path(path)
    check_file(path, "a mixture saved by gmm fit")
    try:
        estimator = _restore(*_read(path))
    except DAMAGE as error:
        raise ValueError(_advise(path, error)) from error
    mixture_of(estimator).set_params(device=device)
    return estimator


def mixture_of(estimator: Any) -> Any:
    """The mixture of a detector that was loaded, or the mixture itself."""
    return getattr(estimator, "mixture_", estimator)


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
        if "gmm" not in metadata:
            raise ValueError("this file holds no mixture")
        names = file.keys()
        return json.loads(metadata["gmm"]), {name: file.get_tensor(name) for name in names}


def _restore(header: dict[str, Any], arrays: Arrays) -> Any:
    if not isinstance(header, dict):
        raise ValueError("this file holds no mixture")
    kind, version = header["format"], header["version"]
    if (kind, version) != (FORMAT, VERSION):
        raise ValueError(f"format {kind} version {version} is not {FORMAT} {VERSION}")
    if _digest(header, arrays) != header["sha256"]:
        raise ValueError("its content does not have its SHA-256, so it was damaged or altered")
    estimator = decode({"estimator": header["estimator"]}, arrays)
    _check_content(estimator)
    # Any inconsistency of shapes or values shows when the estimator has to answer.
    (score,) = estimator.score_samples(np.asarray(mixture_of(estimator).means_)[:1])
    if not math.isfinite(score):
        raise ValueError(f"the log density of its first mean is {score}")
    return estimator


def _check_content(estimator: Any) -> None:
    """Refuses settings and learned numbers with which an answer would be nonsense, or an error.

    The checksum tells damage, not intent: whoever writes a file can compute it.
    """
    mixture = mixture_of(estimator)
    check_settings(mixture.get_params(deep=False))
    if not np.issubdtype(np.asarray(mixture.means_).dtype, np.floating):
        raise ValueError(f"means_ has dtype {np.asarray(mixture.means_).dtype}, expected floats")
    weights = as_floats(mixture.weights_)
    check_weights(weights, "weights_", (len(mixture.means_),))
    if isinstance(estimator, DensityDetector):
        check_detector_settings(estimator.get_params(deep=False))
        scores = np.asarray(estimator.held_out_scores_)
        if scores.ndim != 1 or scores.dtype.kind != "f" or not np.isfinite(scores).all():
            raise ValueError(f"held_out_scores_ is {scores!r:.60}, expected finite numbers")
        threshold = estimator.threshold_nats_
        if not isinstance(threshold, float) or math.isnan(threshold):
            raise ValueError(f"threshold_nats_={threshold!r}, expected a number")


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    """SHA-256 of the arrays, with names, types and shapes, and of the header without itself."""
    rest = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _advise(path: Path, error: Exception) -> str:
    text = " ".join((f"no {error}" if isinstance(error, KeyError) else str(error)).split())
    return (
        f"{path}: {text}; expected a .safetensors file written by gmm fit or gmm.save, "
        f"write it again"
    )
