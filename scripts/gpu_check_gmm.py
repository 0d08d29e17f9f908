"""The sections of ``gpu_check.py`` about mixtures."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_check_measures import Numbers, apart, profiled, timed
from torch import Tensor

from gmm import BayesianGaussianMixture, Chunks, DensityDetector, GaussianMixture, sweep
from gmm.covariance import COVARIANCES
from gmm.em.kmeans import assign, means_of_clusters
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.options import CovarianceType
from gmm.samples.in_memory import InMemory

TYPES = ("full", "tied", "diag", "spherical", "low_rank")
REGIMES: tuple[tuple[CovarianceType, int, int], ...] = (
    ("full", 64, 64),
    ("diag", 64, 64),
    ("spherical", 128, 1024),
    ("full", 128, 16),
)
FLOPS = {  # of an iteration, for each sample
    "full": lambda d, k: 2 * k * d * (d + 3),
    "diag": lambda d, k: 8 * k * d,
    "spherical": lambda d, k: 4 * k * d,
}
FLOAT32_FLOPS = 60e12  # of an H200's data sheet, without tensor cores


def mixtures_agree(tiny: bool) -> Numbers:
    """Fits, scores and a sweep on CUDA beside those of the CPU; twice the same; TF32 allowed."""
    x = overlapping(400 if tiny else 3000)
    found: Numbers = {name: fits_apart(name, x) for name in TYPES}
    found |= {name: both(fit, x) for name, fit in OTHERS.items()}
    mixture = GaussianMixture(3, random_state=0, max_iter=5 if tiny else 20, tol=0.0)
    single = x.float().cuda()
    first, second = (mixture.fit(single).means_.clone() for _ in range(2))
    found["two fits are bitwise equal"] = bool(torch.equal(first, second))
    exact = mixture.fit(single).lower_bound_
    torch.backends.cuda.matmul.allow_tf32 = True
    found["TF32 moves the bound by"] = abs(mixture.fit(single).lower_bound_ - exact)
    torch.backends.cuda.matmul.allow_tf32 = False
    return found


def overlapping(n_samples: int) -> Tensor:
    """Samples of three Gaussians near enough to share them."""
    source = np.random.default_rng(0)
    centres = 1.2 * source.normal(size=(3, 6))
    x = centres[source.integers(3, size=n_samples)] + source.normal(size=(n_samples, 6))
    return torch.from_numpy(x)


def fits_apart(name: str, x: Tensor) -> Numbers:
    """How far a fit on CUDA is from the CPU's, in both precisions."""
    found: Numbers = {}
    for dtype in (torch.float64, torch.float32):
        samples = x.to(dtype)
        settings: dict[str, Any] = {"covariance_type": name, "rank": 2, "random_state": 0}
        here = GaussianMixture(3, n_init=2, **settings).fit(samples)
        there = GaussianMixture(3, n_init=2, **settings).fit(samples.cuda())
        scores = there.score_samples(samples.cuda()), here.score_samples(samples)
        found[str(dtype).removeprefix("torch.")] = {
            "means": apart(there.means_, here.means_),
            "scores": apart(*scores),
            "iterations": [here.n_iter_, there.n_iter_],
        }
    return found


def both(fit: Callable[[Tensor, str], Any], x: Tensor) -> float:
    """How far an answer on CUDA is from the CPU's."""
    here, there = (torch.as_tensor(fit(x.to(device), device)) for device in ("cpu", "cuda"))
    return apart(there, here)


def with_gaps(x: Tensor) -> Tensor:
    missing = torch.zeros_like(x, dtype=torch.bool)
    missing[::7, 1] = True
    return x[:200].masked_fill(missing[:200], torch.nan)


def as_stream(x: Tensor) -> Any:
    """The samples as chunks of arrays, which lie on the CPU."""
    return Chunks(x.cpu().numpy())


OTHERS: dict[str, Callable[[Tensor, str], Any]] = {
    "Bayes": lambda x, _: BayesianGaussianMixture(4, random_state=0, max_iter=20).fit(x).means_,
    "missing values": lambda x, _: GaussianMixture(
        2, missing="marginalize", random_state=0, max_iter=3
    ).fit(with_gaps(x)).means_,
    "a stream": lambda x, device: GaussianMixture(3, random_state=0, device=device).fit(
        as_stream(x)
    ).means_,
    "a detector's threshold": lambda x, _: DensityDetector(
        GaussianMixture(2, random_state=0), random_state=0
    ).fit(x).threshold_nats_,
    "a sweep's best BIC": lambda x, _: sweep(x, (2, 3), ("full", "diag"), n_init=1).best.bic,
}  # fmt: skip


def mixture_speed(tiny: bool) -> Numbers:
    """An iteration of EM beside its limit, a round of Lloyd, a whole fit, and a score."""
    n = 4000 if tiny else 1_000_000
    found: Numbers = {}
    for name, d, k in REGIMES:
        k = min(k, 16) if tiny else k
        found[f"EM {name} {n:.0e} x {d}, K={k}"] = iteration(name, n, d, k, tiny)
    x = torch.randn(n, 64, device="cuda")
    centres = x[None, :64].clone()
    found["Lloyd round 64, K=64"] = timed(
        lambda: means_of_clusters(x, assign(x, centres), centres, None), 3, 1
    )
    x = torch.randn(n, 32, device="cuda")
    begun = time.perf_counter()
    mixture = GaussianMixture(16, random_state=0, max_iter=2 if tiny else 20).fit(x)
    torch.cuda.synchronize()
    found["whole fit 32, K=16, s"] = time.perf_counter() - begun
    found["score 32, K=16"] = timed(lambda: mixture.score_samples(x), 3, 1)
    return found


def iteration(name: CovarianceType, n: int, d: int, k: int, tiny: bool) -> Numbers:
    """One E- and one M-step: time, memory, kernels and waits."""
    x, covariance = torch.randn(n, d, device="cuda"), COVARIANCES[name]
    samples, objective = InMemory(x), Likelihood(covariance, 1e-6)
    shape = covariance.inner_shape(k, d)
    ones = torch.eye(d).expand(shape) if len(shape) == 3 else torch.ones(shape)
    weights = torch.full((1, k), 1 / k, dtype=torch.float64, device="cuda")
    means = x[None, :k].double() - samples.reference
    start = Parameters(weights, means, ones.double()[None].clone().cuda())

    def step() -> None:
        objective.maximise(objective.expectation(samples, start))

    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    found = timed(step, 2 if tiny else 5, 1)
    found["extra_MiB"] = (torch.cuda.max_memory_allocated() - held) / 2**20
    found["limit_ms"] = FLOPS[name](d, k) * n / FLOAT32_FLOPS * 1e3
    return found if tiny else found | profiled(step)
