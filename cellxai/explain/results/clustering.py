"""Which methods say the same: hierarchical clustering of their agreement."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform


@dataclass(frozen=True, eq=False)
class Clustering:
    """A tree of methods.

    Args:
        tree: As SciPy has it, one row per merger: two clusters, their distance, their size.
        order: The methods as the tree's leaves lie side by side.
        groups: Methods that are joined below the distance that was asked for.
    """

    tree: Float[np.ndarray, "merger 4"]
    order: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]


def cluster_methods(
    names: Sequence[str], agreement: Float[np.ndarray, "n m m"], closer_than: float = 0.5
) -> Clustering:
    """Average linkage (UPGMA) of the distance 1 − mean agreement over images.

    A pair that is comparable on no image is as far apart as the farthest that is.

    Args:
        names: Names of the methods.
        agreement: Agreement of every pair on every image, at most 1; NaN where a map is degenerate.
        closer_than: Distance below which methods form a group.

    Raises:
        ValueError: If there are fewer than two methods.
    """
    if len(names) < 2:
        raise ValueError(f"{len(names)} method to cluster, expected at least 2")
    distance = 1 - mean_agreement(agreement)
    farthest = np.nanmax(distance) if not np.isnan(distance).all() else 1.0
    distance = np.where(np.isnan(distance), farthest, distance)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform((distance + distance.T) / 2, checks=False), "average")
    order = [names[int(i)] for i in leaves_list(tree)]
    cluster_of = dict(zip(names, fcluster(tree, closer_than, "distance").tolist(), strict=True))
    numbers = dict.fromkeys(cluster_of[name] for name in order)
    groups = [tuple(name for name in order if cluster_of[name] == number) for number in numbers]
    return Clustering(tree, tuple(order), tuple(groups))


def mean_agreement(agreement: Float[np.ndarray, "n m m"]) -> Float[np.ndarray, "m m"]:
    """Mean over the images on which both methods have a map; NaN where there is none."""
    known = ~np.isnan(agreement)
    count = known.sum(0)
    total = np.where(known, agreement, 0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
