"""Times gmmx and pomegranate for ``bench_gmm.py --peers``, in an environment that has them.

``python bench_gmm_peers.py START.npz full|diag THREADS`` prints one JSON object: a line per peer.
"""

# pyright: reportMissingImports=false
# They are missing here, and are imported where this runs.
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ITERATIONS = 10


def seconds_an_iteration(fit: Callable[[int], Any]) -> float:
    """Of many iterations less that of one, so that neither start nor compilation counts."""
    timed = []
    for iterations in (1, ITERATIONS + 1):
        fit(iterations)
    for iterations in (1, ITERATIONS + 1):
        began = time.perf_counter()
        fit(iterations)
        timed.append(time.perf_counter() - began)
    return (timed[1] - timed[0]) / ITERATIONS


def covariances_of(start: dict[str, np.ndarray], covariance_type: str) -> np.ndarray:
    """The covariances of the start, or the variances where that is all there is."""
    precisions = start["precisions_init"]
    inverse = 1 / precisions if covariance_type == "diag" else np.linalg.inv(precisions)
    return inverse.astype(np.float32)


def gmmx(start: dict[str, np.ndarray], covariance_type: str) -> str:
    """JAX; it takes its start as parameters."""
    import jax
    from gmmx import EMFitter, GaussianMixtureModelJax

    x = jax.numpy.asarray(start["x"])
    mixture = GaussianMixtureModelJax.from_squeezed(
        means=start["means_init"].astype(np.float32),
        covariances=covariances_of(start, covariance_type),
        weights=start["weights_init"].astype(np.float32),
        covariance_type=covariance_type,
    )

    def fit(iterations: int) -> Any:
        result = EMFitter(max_iter=iterations, tol=0.0).fit(x=x, gmm=mixture)
        return jax.block_until_ready(result.log_likelihood)

    return f"{seconds_an_iteration(fit):.4f} s an iteration, {float(fit(ITERATIONS)):.6f}"


def pomegranate(start: dict[str, np.ndarray], covariance_type: str) -> str:
    """Torch; it takes its start as distributions."""
    import torch
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    covariances = covariances_of(start, covariance_type)
    means, x = start["means_init"].astype(np.float32), torch.from_numpy(start["x"])

    def fit(iterations: int) -> Any:
        each = [
            Normal(mean, covariance, covariance_type=covariance_type)
            for mean, covariance in zip(means, covariances, strict=True)
        ]
        weights = start["weights_init"].astype(np.float32)
        mixture = GeneralMixtureModel(each, priors=weights, tol=-1e9, max_iter=iterations)
        return mixture.fit(x).log_probability(x).mean()

    return f"{seconds_an_iteration(fit):.4f} s an iteration, {float(fit(ITERATIONS)):.6f}"


def main() -> None:
    """Prints what was measured; a peer that fails says why instead."""
    path, covariance_type, threads = sys.argv[1:]
    os.environ["OMP_NUM_THREADS"] = threads
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=true"
    start = dict(np.load(path))
    found = {}
    for peer in (gmmx, pomegranate):
        try:
            found[peer.__name__] = peer(start, covariance_type)
        except Exception as error:  # any failure of a peer is a result
            found[peer.__name__] = f"failed: {type(error).__name__}: {str(error)[:120]}"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
