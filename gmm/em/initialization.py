"""Where EM starts: responsibilities of every restart, from its own seed.

A restart draws from its own generator on the CPU, so it neither depends on the other restarts of
its batch nor on the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from typing_extensions import override

from gmm.em.kmeans import kmeans, spread_samples
from gmm.em.objective import Objective, P
from gmm.memory import budget_of
from gmm.options import InitMethod
from gmm.samples.in_memory import InMemory
from gmm.samples.statistics import summarise, total

PART = 4096
# Samples for which random responsibilities are drawn at a time. Fixed: a size that followed the
# machine would make another start of the same seed.


class Start(ABC):
    """Initial responsibilities of a batch of restarts; read as often as there are types to fit."""

    @abstractmethod
    def responsibilities(self, size: int) -> Iterator[Float[Tensor, "run k part"]]:
        """Responsibilities of the first ``size`` samples, of the next ``size``, and so on."""

    def parameters(
        self, samples: InMemory, objective: Objective[P]
    ) -> tuple[P, Bool[Tensor, " run"]]:
        """The parameters after one M-step, and which runs have positive definite covariances."""
        size = budget_of(samples.x.device).part
        return from_responsibilities(samples, self.responsibilities(size), size, objective)


@dataclass(frozen=True)
class Assigned(Start):
    """Every sample belongs wholly to one component, or to none.

    Args:
        labels: Component of each sample; -1 for none.
        n_components: Number of components of each run.
        share: How much of each sample belongs to its component.
    """

    labels: Int[Tensor, "run n"]
    n_components: int
    share: Float[Tensor, " n"]

    @override
    def responsibilities(self, size: int) -> Iterator[Float[Tensor, "run k part"]]:
        components = torch.arange(self.n_components, device=self.labels.device)[:, None]
        for part, share in zip(self.labels.split(size, 1), self.share.split(size), strict=True):
            yield (part[:, None] == components) * share


@dataclass(frozen=True)
class Random(Start):
    """Uniform random numbers, normalised to sum to 1 over the components.

    Args:
        seeds: One per restart.
        n_samples: Number of samples to draw for.
        n_components: Number of components of each run.
        device: Device of the responsibilities.
    """

    seeds: Sequence[int]
    n_samples: int
    n_components: int
    device: torch.device

    @override
    def responsibilities(self, size: int) -> Iterator[Float[Tensor, "run k part"]]:
        sources = generators(self.seeds)
        for first in range(0, self.n_samples, size):
            n = min(size, self.n_samples - first)
            pieces = [self._draw(min(PART, n - start), sources) for start in range(0, n, PART)]
            resp = torch.cat(pieces, -1).to(self.device)
            yield resp / resp.sum(1, keepdim=True)

    def _draw(
        self, n_samples: int, sources: Sequence[torch.Generator]
    ) -> Float[Tensor, "run k piece"]:
        shape = (self.n_components, n_samples)
        drawn = [torch.rand(shape, dtype=torch.float64, generator=g) for g in sources]
        return torch.stack(drawn)


@dataclass(frozen=True)
class Mixed(Start):
    """Starts of several methods, as one batch.

    Args:
        starts: The starts of each method.
        order: Where each run of the batch is among the runs of all starts.
    """

    starts: Sequence[Start]
    order: Int[Tensor, " run"]

    @override
    def responsibilities(self, size: int) -> Iterator[Float[Tensor, "run k part"]]:
        for parts in zip(*(begun.responsibilities(size) for begun in self.starts), strict=True):
            yield torch.cat(parts)[self.order.to(parts[0].device)]


def from_responsibilities(
    samples: InMemory,
    resp: Iterable[Float[Tensor, "run k part"]],
    size: int,
    objective: Objective[P],
) -> tuple[P, Bool[Tensor, " run"]]:
    """The parameters after one M-step, with which EM starts.

    Args:
        samples: Shared by all runs.
        resp: Responsibilities of the first ``size`` samples, of the next ``size``, and so on.
        size: Samples per part.
        objective: The objective whose M-step is taken.

    Returns:
        The parameters, and which runs have positive definite covariances.
    """
    covariance = objective.covariance
    parts = zip(samples.chunks(covariance, size), resp, strict=True)
    statistics = total(summarise(chunk, part, part[:, 0]) for chunk, part in parts)
    maximum = objective.maximise(statistics)
    return maximum.parameters.translate(samples.reference), maximum.valid


def start(samples: InMemory, n_components: int, method: InitMethod, seeds: Sequence[int]) -> Start:
    """The start of one restart per seed.

    Args:
        samples: Shared by all restarts.
        n_components: Number of components of each run.
        method: ``kmeans`` clusters the samples; ``scaled_kmeans`` with every feature divided by its
            standard deviation, so that a wide one does not decide alone; ``k-means++`` gives each
            component one of samples far apart, ``random_from_data`` one sample at random;
            ``random`` shares every sample out at random.
        seeds: One per restart.
    """
    x = samples.x
    once = torch.ones_like(x[:, 0], dtype=torch.float64)
    weights = once if samples.weights is None else samples.weights
    if method == "random":
        return Random(seeds, len(x), n_components, x.device)
    centred = samples.rows(x.dtype)
    if method == "scaled_kmeans":
        centred = centred / deviations(centred, weights)
    if method in ("kmeans", "scaled_kmeans"):
        clusters = kmeans(centred, n_components, generators(seeds), samples.weights)
        return Assigned(clusters, n_components, once)
    choose = {"k-means++": spread_samples, "random_from_data": distinct_samples}[method]
    chosen = choose(centred, n_components, generators(seeds), weights)
    # A seed counts once, however often its sample does: as if that were repeated.
    share = weights.clamp(min=torch.finfo(weights.dtype).tiny).reciprocal()
    return Assigned(labels_of_seeds(chosen, len(x)), n_components, share)


def mixed_start(
    samples: InMemory, n_components: int, methods: Sequence[InitMethod], seeds: Sequence[int]
) -> Start:
    """The starts of several methods in one batch: restart i is that of the i-th method, in turn."""
    parts: dict[InitMethod, list[int]] = {
        method: [i for i in range(len(seeds)) if methods[i % len(methods)] == method]
        for method in methods
    }
    drawn = [
        start(samples, n_components, method, [seeds[i] for i in indices])
        for method, indices in parts.items()
        if indices
    ]
    if len(drawn) == 1:
        return drawn[0]
    return Mixed(drawn, torch.tensor([i for part in parts.values() for i in part]).argsort())


def deviations(x: Float[Tensor, "n d"], weights: Float[Tensor, " n"]) -> Float[Tensor, " d"]:
    """Standard deviation of each feature; 1 where it never changes."""
    squares = weights @ x.double().square() / weights.sum()
    mean = weights @ x.double() / weights.sum()
    spread = (squares - mean.square()).clamp(min=0).sqrt().to(x.dtype)
    return spread.where(spread > 0, 1.0)


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One source of random numbers per restart."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def distinct_samples(
    x: Float[Tensor, "n d"],
    n_components: int,
    sources: Sequence[torch.Generator],
    weights: Float[Tensor, " n"],
) -> Int[Tensor, "run k"]:
    """Indices of different samples, all of weight above 0 equally likely."""
    counted = weights.cpu().nonzero()[:, 0]
    chosen = [torch.randperm(len(counted), generator=source)[:n_components] for source in sources]
    return counted[torch.stack(chosen)].to(x.device)


def labels_of_seeds(chosen: Int[Tensor, "run k"], n_samples: int) -> Int[Tensor, "run n"]:
    """Component k for the k-th chosen sample of each run, -1 for all others."""
    labels = chosen.new_full((len(chosen), n_samples), -1)
    components = torch.arange(chosen.shape[1], device=chosen.device)
    return labels.scatter(1, chosen, components.expand_as(chosen))
