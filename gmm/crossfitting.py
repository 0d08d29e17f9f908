"""Scores of samples, each from a model that was not fitted to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

Model = TypeVar("Model")
Rows = Int[Tensor, " _"]


@dataclass(frozen=True)
class CrossFit(Generic[Model]):
    """What cross-fitting gives.

    Args:
        scores: One per held-out sample, in the order of the samples; leading axes are those of the
            scoring function.
        models: For each part the model that was fitted without it.
    """

    scores: Float[Tensor, "*kind n"]
    models: tuple[Model, ...]


def cross_fit(
    n_samples: int,
    parts: Sequence[Rows],
    fit: Callable[[Rows], Model],
    score: Callable[[Model, Rows], Float[Tensor, "*kind _"]],
) -> CrossFit[Model]:
    """Fits a model to all but one part, for each part, and scores that part.

    Args:
        n_samples: Number of samples, held out or not.
        parts: Rows to hold out of one fit each; no row is in two of them.
        fit: Fits a model to the samples in some rows, which are in ascending order.
        score: Scores the samples in some rows; the last axis of the result is the samples'.
    """
    models = tuple(fit(other_rows(n_samples, part)) for part in parts)
    scores = [score(model, part) for model, part in zip(models, parts, strict=True)]
    return CrossFit(torch.cat(scores, -1)[..., torch.cat(list(parts)).argsort()], models)


def other_rows(n_samples: int, part: Rows) -> Rows:
    """The rows that are not in a part, in ascending order."""
    held_out = torch.zeros(n_samples, dtype=torch.bool, device=part.device)
    held_out[part] = True
    return (~held_out).nonzero()[:, 0]
