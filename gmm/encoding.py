"""Estimators as JSON and named arrays, and back: what a file of them may hold is listed here."""

import importlib
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import RandomState
from torch import Tensor

CLASSES = {
    "BayesianGaussianMixture": "gmm.bayesian",
    "DensityDetector": "gmm.detector",
    "GaussianMixture": "gmm.estimator",
}
"""The estimators that can be written and read, and their modules; a file names no other class."""

FITTED = re.compile(r"[a-z]\w*_")  # what fit learns ends in _

NOT_FINITE = {str(value): value for value in (math.inf, -math.inf, math.nan)}

Arrays = dict[str, np.ndarray]


def encode(value: Any, name: str, arrays: Arrays) -> Any:
    """A value as JSON, with its arrays put into ``arrays`` under names that begin with ``name``.

    Raises:
        TypeError: If it is nothing that a setting or a fitted attribute may be.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}  # JSON has no infinity
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        return {"words": [str(word) for word in value]}
    if isinstance(value, np.ndarray):
        arrays[name] = np.array(value, order="C")
        return {"array": name}
    if isinstance(value, (list, tuple)):
        values = [encode(part, f"{name}.{i}", arrays) for i, part in enumerate(value)]
        return {"tuple": values} if isinstance(value, tuple) else values
    if isinstance(value, dict):
        return {"dict": {key: encode(part, f"{name}.{key}", arrays) for key, part in value.items()}}
    if type(value).__name__ in CLASSES:
        return {"estimator": _encode_estimator(value, name, arrays)}
    raise TypeError(
        f"{name or 'estimator'} is a {type(value).__name__}, expected a fitted "
        f"{' or '.join(CLASSES)} and settings of numbers, words and arrays; a file holds no other"
    )


def _encode_estimator(estimator: Any, name: str, arrays: Arrays) -> dict[str, Any]:
    prefix = f"{name}." if name else ""
    fitted = {key: value for key, value in vars(estimator).items() if FITTED.fullmatch(key)}
    return {
        "class": type(estimator).__name__,
        "settings": {
            key: encode(_portable(key, value), prefix + key, arrays)
            for key, value in estimator.get_params(deep=False).items()
        },
        "fitted": {key: encode(value, prefix + key, arrays) for key, value in fitted.items()},
    }


def _portable(name: str, value: Any) -> Any:
    """A setting without what is of one machine or one fit."""
    if name == "device" or isinstance(value, RandomState):
        return None
    if type(value).__name__ in CLASSES:
        return type(value)(**value.get_params(deep=False))
    return value


def decode(value: Any, arrays: Arrays) -> Any:
    """The value that :func:`encode` wrote.

    Raises:
        ValueError: If it was not written by :func:`encode`, or names another class.
        KeyError: If an array is missing.
    """
    if isinstance(value, list):
        return [decode(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if len(value) != 1 or kind not in _DECODERS:
        raise ValueError(f"{', '.join(value)!r} is no value of a mixture")
    return _DECODERS[kind](value[kind], arrays)


def _decode_estimator(record: dict[str, Any], arrays: Arrays) -> Any:
    name = record["class"]
    if name not in CLASSES:
        raise ValueError(f"class {name!r}, expected one of {', '.join(CLASSES)}")
    kind = getattr(importlib.import_module(CLASSES[name]), name)
    settings = {key: decode(value, arrays) for key, value in record["settings"].items()}
    estimator = kind(**settings)
    for key, value in record["fitted"].items():
        if not FITTED.fullmatch(key):
            raise ValueError(f"{key!r} is no fitted attribute")
        setattr(estimator, key, decode(value, arrays))
    return estimator


_DECODERS: dict[str, Callable[[Any, Arrays], Any]] = {
    "array": lambda name, arrays: arrays[name],
    "dict": lambda values, arrays: {key: decode(part, arrays) for key, part in values.items()},
    "estimator": _decode_estimator,
    "float": lambda word, _: NOT_FINITE[word],
    "tuple": lambda values, arrays: tuple(decode(part, arrays) for part in values),
    "words": lambda words, _: np.array(words, dtype=object),
}
