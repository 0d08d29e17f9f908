"""Which explainers say the same about an image: every pair of them, superpixel by superpixel.

Agreement does not mean truth: methods that are wrong in the same way agree, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.explain.metrics.agreement import highest
from cellxai.explain.metrics.correlation import spearman
from cellxai.explain.results.rows import Answer
from cellxai.explain.results.significance import Interval, mean_over_images

Alike = Callable[[Float[Tensor, "b s"], Float[Tensor, "b s"]], Float[Tensor, " b"]]
Evidence = Mapping[str, Float[np.ndarray, " s"]]

TOP_K = 5  # superpixels, as :class:`cellxai.explain.metrics.agreement.TopKOverlap` has it


@dataclass(frozen=True, eq=False)
class Agreement:
    """How alike the methods are, by one similarity.

    Args:
        similarity: Its name.
        methods: In the order of both axes.
        by_image: Mean over the seeds; NaN where a map is missing or ranks nothing.
    """

    similarity: str
    methods: tuple[str, ...]
    by_image: Float[np.ndarray, "n m m"]

    def pairs(self) -> dict[tuple[str, str], Interval]:
        """Mean and interval of every pair over the images that have both."""
        return {
            (self.methods[i], self.methods[j]): mean_over_images(self.by_image[:, i, j], -1.0, 1.0)
            for i, j in combinations(range(len(self.methods)), 2)
        }


def top_k_overlap(a: Float[Tensor, "b s"], b: Float[Tensor, "b s"]) -> Float[Tensor, " b"]:
    """Jaccard index of the superpixels of highest evidence."""
    ours, theirs = highest(a, TOP_K), highest(b, TOP_K)
    return (ours & theirs).sum(1).to(a) / (ours | theirs).sum(1)


def sign_agreement(a: Float[Tensor, "b s"], b: Float[Tensor, "b s"]) -> Float[Tensor, " b"]:
    """Share of the superpixels whose evidence has the same sign; 0 agrees with 0 alone."""
    return (a.sign() == b.sign()).to(a).mean(1)


SIMILARITIES: Mapping[str, Alike] = {
    "rank correlation": spearman,
    "top-k overlap": top_k_overlap,
    "sign agreement": sign_agreement,
}
"""As :mod:`cellxai.explain.metrics.agreement` defines them on maps."""


def compare_methods(answers: Sequence[Answer], methods: Sequence[str]) -> list[Agreement]:
    """Every pair of methods under every similarity; answers of one seed meet, then seeds average.

    Args:
        answers: The attributions, with their evidence by superpixel, in any order.
        methods: Names of those that are compared.
    """
    images: dict[str, dict[int, dict[str, Float[np.ndarray, " s"]]]] = {}
    for answer in sorted(answers, key=lambda answer: (answer.image, answer.seed)):
        seeds = images.setdefault(answer.image, {}).setdefault(answer.seed, {})
        if answer.evidence is not None:
            seeds[answer.explainer] = answer.evidence
    agreements = []
    for name, alike in SIMILARITIES.items():
        by_image = [
            _mean([_matrix(evidence, methods, alike) for evidence in seeds.values()])
            for seeds in images.values()
        ]
        stacked = np.stack(by_image) if by_image else np.empty((0, len(methods), len(methods)))
        agreements.append(Agreement(name, tuple(methods), stacked))
    return agreements


def _matrix(evidence: Evidence, methods: Sequence[str], alike: Alike) -> Float[np.ndarray, "m m"]:
    """Similarity of all methods on one image; NaN beside those without evidence."""
    matrix = np.full((len(methods), len(methods)), np.nan)
    known = np.array([i for i, name in enumerate(methods) if name in evidence], dtype=int)
    if not len(known):
        return matrix
    maps = torch.from_numpy(np.stack([evidence[methods[int(i)]] for i in known]))
    first, second = np.triu_indices(len(known))
    rows, columns = known[first], known[second]
    values = alike(maps[first], maps[second]).numpy()
    matrix[rows, columns] = matrix[columns, rows] = values
    return matrix


def _mean(matrices: Sequence[Float[np.ndarray, "m m"]]) -> Float[np.ndarray, "m m"]:
    stacked = np.stack(matrices)
    count = (~np.isnan(stacked)).sum(0)
    return np.where(count > 0, np.nansum(stacked, 0) / np.maximum(count, 1), np.nan)
