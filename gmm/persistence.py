"""Estimators on disk: tensors and JSON in one ``.safetensors`` file, never a pickle."""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gmm.encoding import Arrays, decode, encode

if TYPE_CHECKING:
    from gmm.detector import DensityDetector
    from gmm.estimator_base import BaseMixture

FORMAT = "gmm.estimator"
VERSION = 2  # 1 had no checksum

# What a damaged or foreign file makes readers raise; RuntimeError is torch's, of shapes that do not
# fit each other, and that of JSON nested too deeply.
DAMAGE = (
    SafetensorError, LookupError, TypeError, AttributeError, ValueError, OSError, RuntimeError
)  # fmt: skip


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


def save(estimator: "BaseMixture | DensityDetector", path: Path | str) -> None:
    """Writes a fitted mixture or detector, atomically.

    The file is its own evidence: beside the tensors it holds, as JSON under the metadata key
    ``gmm``, the format's version, the class, all settings, what was learned and the SHA-256 of it
    all. Left out are ``device`` and a ``RandomState``, which are of the machine and of the fit.

    Raises:
        NotFittedError: If it has not been fitted.
    """
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
        ValueError: If it is damaged, was altered, or was not written by :func:`save`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected a mixture saved by gmm fit")
    try:
        estimator = _restored(*_read(path))
    except DAMAGE as error:
        raise ValueError(_what_to_do(path, error)) from error
    mixture_of(estimator).set_params(device=device)
    return estimator


def mixture_of(estimator: Any) -> Any:
    """The mixture of a detector that was loaded, or the mixture itself."""
    return getattr(estimator, "mixture_", estimator)


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
        if "gmm" not in metadata:
            raise ValueError("no mixture in this file")
        names = file.keys()
        return json.loads(metadata["gmm"]), {name: file.get_tensor(name) for name in names}


def _restored(header: dict[str, Any], arrays: Arrays) -> Any:
    found = header["format"], header["version"]
    if found != (FORMAT, VERSION):
        raise ValueError(f"format {found[0]} version {found[1]} is not {FORMAT} {VERSION}")
    if _digest(header, arrays) != header["sha256"]:
        raise ValueError("its content does not have its SHA-256, so it was damaged or altered")
    estimator = decode({"estimator": header["estimator"]}, arrays)
    # Whatever is inconsistent in shape or value shows when it is asked.
    (score,) = estimator.score_samples(np.asarray(mixture_of(estimator).means_)[:1])
    if not math.isfinite(score):
        raise ValueError(f"the log density of its first mean is {score}")
    return estimator


def _digest(header: dict[str, Any], arrays: Arrays) -> str:
    """SHA-256 of the arrays, with names, types and shapes, and of the header without itself."""
    rest = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _what_to_do(path: Path, error: Exception) -> str:
    text = " ".join((f"no {error}" if isinstance(error, KeyError) else str(error)).split())
    return (
        f"{path}: {text}; expected a .safetensors file written by gmm fit or gmm.save, "
        f"write it again"
    )
