"""The rows of ``bench_gmm.py`` for a CUDA device: milliseconds an iteration, and extra memory."""

import time
from collections.abc import Iterator

import torch

from gmm.covariance import COVARIANCES
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.options import CovarianceType
from gmm.samples.in_memory import InMemory

ITERATIONS = 5
WORK: tuple[tuple[CovarianceType, int, int, int], ...] = (
    ("full", 64, 64, 30),
    ("diag", 64, 64, 2),
    ("spherical", 128, 1024, 30),
)


def cuda_rows(n_samples: int = 1_000_000) -> Iterator[str]:
    """One line per kind of work."""
    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device("cuda")
    for name, n_features, n_components, most_ms in WORK:
        x = torch.randn(n_samples, n_features, device=device)
        samples, objective = InMemory(x), Likelihood(COVARIANCES[name], 1e-6)
        parameters = spread(name, n_components, x)
        parameters = parameters.translate(-samples.reference)
        objective.maximise(objective.expectation(samples, parameters))
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held, began = torch.cuda.memory_allocated(), time.perf_counter()
        for _ in range(ITERATIONS):
            parameters = objective.maximise(objective.expectation(samples, parameters)).parameters
        torch.cuda.synchronize()
        ms = (time.perf_counter() - began) / ITERATIONS * 1000
        extra = (torch.cuda.max_memory_allocated() - held) / 2**20
        yield (
            f"{torch.cuda.get_device_name()}: {name}, {n_samples:.0e} × {n_features}, "
            f"K={n_components}, float32: {ms:.2f} ms an iteration (at most {most_ms}), "
            f"{extra:.0f} MiB extra"
        )


def spread(name: CovarianceType, n_components: int, x: torch.Tensor) -> Parameters:
    """Equal components at the first samples."""
    shape = COVARIANCES[name].inner_shape(n_components, x.shape[1])
    chol = torch.ones(shape, dtype=torch.float64, device=x.device)
    if len(shape) == 3:
        chol = torch.eye(shape[-1], dtype=torch.float64, device=x.device).expand(shape)
    weights = torch.full((1, n_components), 1 / n_components, dtype=torch.float64, device=x.device)
    return Parameters(weights, x[None, :n_components].double(), chol[None].clone())
