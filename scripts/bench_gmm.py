"""gmm against scikit-learn, measured in one run: ``python scripts/bench_gmm.py [--threads 2]``.

Both start from the same parameters and do the same number of iterations, so a row compares equal
work; the column |Δ| is the difference of the lower bounds, in nats per sample.
"""

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_limits

from gmm import em
from gmm.covariance import COVARIANCES
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType

REPEATS = 2  # the fastest counts: what else the machine does can only slow a run down


def fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest repetition, and what the last one returned."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return min(seconds), result


def data(n_samples: int, n_features: int, n_components: int, seed: int = 0) -> np.ndarray:
    """Overlapping clusters, so that EM has something to do."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_components, n_features)) * 2
    noise = random.normal(size=(n_samples, n_features))
    return centres[random.integers(n_components, size=n_samples)] + noise


def initial(x: np.ndarray, covariance_type: CovarianceType, seed: int) -> dict[str, Any]:
    """The parameters after one iteration from random samples, as both libraries take them."""
    settings = {"init_params": "random_from_data", "random_state": seed, "max_iter": 1}
    fit = Reference(16, covariance_type=covariance_type, reg_covar=0.1, **settings).fit(x)
    return {
        "weights_init": fit.weights_,
        "means_init": fit.means_,
        "precisions_init": fit.precisions_,
    }


def compare_fit(name: CovarianceType, n_samples: int, iterations: int) -> tuple[str, ...]:
    """One fit of 32 features and 16 components, from the same start."""
    x = data(n_samples, 32, 16)
    settings = {"covariance_type": name, "tol": 0.0, "max_iter": iterations}
    settings |= initial(x, name, 0)
    theirs, reference = fastest(lambda: Reference(16, **settings).fit(x))
    ours, mixture = fastest(lambda: GaussianMixture(16, **settings).fit(x))
    single, _ = fastest(lambda: GaussianMixture(16, dtype="float32", **settings).fit(x))
    work = f"fit {name}, {n_samples:,} x 32, K=16, {iterations} iterations"
    return row(work, theirs, ours, single, abs(mixture.lower_bound_ - reference.lower_bound_))


def compare_restarts(n_samples: int, iterations: int) -> tuple[str, ...]:
    """Ten restarts, full, EM only, from the same starts."""
    x = data(n_samples, 32, 16)
    starts = [initial(x, "full", seed) for seed in range(10)]
    settings = {"covariance_type": "full", "tol": 0.0, "max_iter": iterations}
    theirs, fits = fastest(lambda: [Reference(16, **settings, **each).fit(x) for each in starts])
    best = max(fit.lower_bound_ for fit in fits)
    timed = {}
    for dtype in (torch.float64, torch.float32):
        samples, covariance = torch.from_numpy(x).to(dtype), COVARIANCES["full"]
        chol = [GaussianMixture(16, max_iter=0, **each).fit(x).parameters_ for each in starts]
        parameters = type(chol[0])(
            *(torch.cat([getattr(one, name) for one in chol])
              for name in ("weights", "means", "precisions_cholesky"))
        )  # fmt: skip
        sound = torch.ones(10, dtype=torch.bool)
        timed[dtype] = fastest(
            lambda: em.run(samples, parameters, sound, covariance, tol=0.0, max_iter=iterations)  # noqa: B023
        )
    ours, runs = timed[torch.float64]
    name = f"ten restarts full, {n_samples:,} x 32, K=16, {iterations} iterations"
    difference = abs(runs.best().lower_bound - best)
    return row(name, theirs, ours, timed[torch.float32][0], difference)


def compare_scoring(n_samples: int) -> tuple[str, ...]:
    """Log densities of many samples under 16 full components."""
    x = data(n_samples, 32, 16)
    settings = {"max_iter": 2, "tol": 0.0, **initial(x, "full", 0)}
    reference = Reference(16, **settings).fit(x[:5000])
    mixture = GaussianMixture(16, **settings).fit(x[:5000])
    theirs, expected = fastest(lambda: reference.score_samples(x))
    ours, found = fastest(lambda: mixture.score_samples(x))
    mixture.dtype = "float32"
    single, _ = fastest(lambda: mixture.score_samples(x))
    name = f"score_samples {n_samples:,} x 32, K=16 full"
    return row(name, theirs, ours, single, float(np.abs(found - expected).max()))


def row(name: str, theirs: float, ours: float, single: float, difference: float) -> tuple[str, ...]:
    """One line of the table: seconds, ratios and agreement."""
    return (
        name,
        f"{theirs:.3f}",
        f"{ours:.3f}",
        f"{theirs / ours:.1f}",
        f"{theirs / single:.1f}",
        f"{difference:.0e}",
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the samples to use")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)
    n_samples = int(100_000 * options.scale)
    print(
        f"{platform.machine()}, {options.threads} threads, torch {torch.__version__}, "
        f"scikit-learn {sklearn.__version__}; seconds, and how many times as fast\n"
    )
    line = "{:<48} {:>12} {:>9} {:>6} {:>6} {:>7}"
    print(line.format("work", "scikit-learn", "gmm f64", "× f64", "× f32", "|Δ| f64"))
    with threadpool_limits(options.threads):
        for name in COVARIANCES:
            print(line.format(*compare_fit(name, n_samples, 10)), flush=True)
        print(line.format(*compare_restarts(n_samples // 5, 10)), flush=True)
        print(line.format(*compare_scoring(n_samples * 5)), flush=True)


if __name__ == "__main__":
    main()
