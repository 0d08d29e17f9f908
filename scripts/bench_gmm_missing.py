"""EM with missing values and known noise beside a loop over samples in numpy.

`python scripts/bench_gmm_missing.py`, two minutes. Ours and the loop take turns from the same
parameters, both on one thread; a ratio is of CPU times, and the median of the turns counts. The
loop is given the first samples alone where all of them would take minutes, and its time is that of
a sample. |Δ| is the difference of the mean log densities, in nats.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from scipy.linalg import solve_triangular

from gmm import GaussianMixture

N_TURNS = 3
N_ITERATIONS = 2


def loop_over_samples(x, noise, weights, means, matrices):
    """One EM step, sample by sample; a row of noise is variances, 0 where there is none."""
    k, d = means.shape
    counts, first, second = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    log_density = 0.0
    for row, variances in zip(x, noise, strict=True):
        known = np.flatnonzero(~np.isnan(row))
        joint, centres, spreads = np.log(weights), np.empty((k, d)), np.empty((k, d, d))
        for j in range(k):
            block = matrices[j][np.ix_(known, known)] + np.diag(variances[known])
            lower = np.linalg.cholesky(block)
            right = np.c_[row[known] - means[j, known], matrices[j][known]]
            solved = solve_triangular(lower, right, lower=True, check_finite=False)
            joint[j] -= np.log(np.diag(lower)).sum() + solved[:, 0] @ solved[:, 0] / 2
            centres[j] = means[j] + solved[:, 1:].T @ solved[:, 0]
            spreads[j] = matrices[j] - solved[:, 1:].T @ solved[:, 1:]
        total = np.logaddexp.reduce(joint)
        log_density += total - len(known) / 2 * np.log(2 * np.pi)
        resp = np.exp(joint - total)
        counts += resp
        first += resp[:, None] * centres
        outer = centres[:, :, None] * centres[:, None]
        second += resp[:, None, None] * (outer + spreads)
    means = first / counts[:, None]
    outer = means[:, :, None] * means[:, None]
    matrices = second / counts[:, None, None] - outer
    return log_density / len(x), counts / counts.sum(), means, matrices


def compare(name: str, x, n_components: int, noise=None, n_in_loop: int | None = None) -> str:
    """A row of the table."""
    start = start_of(x, n_components)
    fewer = x[:n_in_loop]
    spread = np.zeros(fewer.shape) if noise is None else noise[: len(fewer)]
    ratios, ours, theirs = [], [], []
    for _ in range(N_TURNS):
        begin = cpu_time(lambda: fit(x, noise, start, 1))
        seconds = cpu_time(lambda: fit(x, noise, start, 1 + N_ITERATIONS)) - begin
        ours.append(max(seconds, 1e-6) / N_ITERATIONS / len(x))
        theirs.append(cpu_time(lambda: loop_over_samples(fewer, spread, *start)) / len(fewer))
        ratios.append(theirs[-1] / ours[-1])
    part = fit(fewer, None if noise is None else spread, start, 1).lower_bounds_[0]
    difference = abs(part - loop_over_samples(fewer, spread, *start)[0])
    times = f"{median(theirs) * 1e6:.0f} | {median(ours) * 1e6:.1f}"
    return f"| {name} | {times} | {median(ratios):.0f} | {difference:.0e} |"


def start_of(x, n_components: int):
    """The same parameters for both."""
    random = np.random.default_rng(1)
    d = x.shape[1]
    weights = np.full(n_components, 1 / n_components)
    return weights, random.normal(size=(n_components, d)), np.array([np.eye(d)] * n_components)


def fit(x, noise, start, n_iterations: int) -> GaussianMixture:
    """Some iterations of ours."""
    weights, means, matrices = start
    mixture = GaussianMixture(
        len(weights), weights_init=weights, means_init=means, precisions_init=matrices,
        max_iter=n_iterations, tol=0.0, reg_covar=0.0, missing="marginalize",
    )  # fmt: skip
    return mixture.fit(x, noise_covariances=noise)


def cpu_time(work: Callable[[], object]) -> float:
    """Seconds of CPU time."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def holed(n: int, d: int, share: float, n_patterns: int | None = None):
    """Samples with missing values, in as many patterns or in patterns of their own."""
    random = np.random.default_rng(0)
    missing = random.random((n_patterns or n, d)) < share
    if n_patterns:
        missing = missing[random.integers(0, n_patterns, n)]
    return np.where(missing, np.nan, random.normal(size=(n, d)))


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print("| an iteration | loop, µs a sample | gmm, µs a sample | times as fast | \\|Δ\\| |")
    print("|---|---|---|---|---|")
    print(compare("1000 × 20, K=3, a fifth missing at random", holed(1000, 20, 0.2), 3))
    print(compare("20,000 × 20, K=3, the same", holed(20000, 20, 0.2), 3, n_in_loop=500))
    print(compare("1e5 × 20, K=3, three patterns", holed(10**5, 20, 0.2, 3), 3, n_in_loop=500))
    print(compare("5000 × 64, K=4, a fifth missing", holed(5000, 64, 0.2), 4, n_in_loop=200))
    print(compare("5000 × 50, K=4, four fifths missing", holed(5000, 50, 0.8), 4, n_in_loop=200))
    noise = np.random.default_rng(2).uniform(0, 1, (20000, 8))
    print(compare("20,000 × 8, K=4, noise", holed(20000, 8, 0.0), 4, noise, n_in_loop=500))


if __name__ == "__main__":
    main()
