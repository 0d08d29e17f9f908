"""Expectation maximisation of a batch of mixtures on the same samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.em.objective import Maximum, Objective, are_summed_as_few
from gmm.em.parameters import Estimate
from gmm.em.ways import need_again, task_of
from gmm.samples.in_memory import Samples
from gmm.samples.statistics import Statistics, join_runs


@dataclass(frozen=True)
class Run:
    """One fitted mixture.

    Args:
        parameters: Its parameters, as a batch of one.
        lower_bound: Mean log density of a training sample in nats, as of the last E-step.
        lower_bounds: The bound after every iteration.
        converged: Whether the bound changed by less than ``tol`` before ``max_iter``.
    """

    parameters: Estimate
    lower_bound: float
    lower_bounds: tuple[float, ...]
    converged: bool

    @property
    def n_iter(self) -> int:
        """Number of iterations done."""
        return len(self.lower_bounds)


@dataclass
class Climb:
    """How one run went: numbers that the loop decides by, not tensors.

    Args:
        lower_bound: Its lower bound in nats per sample; -inf where it failed.
        bounds: The bound after every iteration.
        converged: Whether the bound changed by less than ``tol``.
        failed: Whether some covariance was not positive definite.
    """

    lower_bound: float
    bounds: list[float] = field(default_factory=list)
    converged: bool = False
    failed: bool = False

    def step(self, bound: float, tol: float) -> None:
        """Takes over the bound of an iteration, which is not finite where that has failed."""
        self.failed = not math.isfinite(bound)
        bound = -math.inf if self.failed else bound
        self.converged = abs(bound - self.lower_bound) < tol
        self.lower_bound = bound
        self.bounds.append(bound)

    @property
    def ended(self) -> bool:
        """Whether the run takes part no more."""
        return self.converged or self.failed


@dataclass(frozen=True)
class Runs:
    """A batch of fitted mixtures.

    Args:
        parameters: Parameters of each run; where a run failed, those before its failure.
        climbs: How each went.
        added: What each variance was raised by beyond ``reg_covar``, see
            :class:`~gmm.em.objective.Maximum`, in the last iteration of each run.
    """

    parameters: Estimate
    climbs: Sequence[Climb]
    added: Float[Tensor, "run d"]

    @property
    def lower_bound(self) -> Float[Tensor, " run"]:
        """Lower bound of each run in nats per sample; -inf where a run failed."""
        return torch.tensor([climb.lower_bound for climb in self.climbs], dtype=torch.float64)

    @property
    def history(self) -> Float[Tensor, "run iteration"]:
        """Lower bound after each iteration; NaN after the last one of a run."""
        longest = max(len(climb.bounds) for climb in self.climbs)
        rows = [
            [*climb.bounds, *[math.nan] * (longest - len(climb.bounds))] for climb in self.climbs
        ]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), longest)

    @property
    def converged(self) -> Bool[Tensor, " run"]:
        """Whether the bound of each run changed by less than ``tol``."""
        return torch.tensor([climb.converged for climb in self.climbs])

    @property
    def failed(self) -> Bool[Tensor, " run"]:
        """Whether some covariance of the run was not positive definite."""
        return torch.tensor([climb.failed for climb in self.climbs])

    def best(self) -> Run:
        """The run of greatest lower bound, the first of equals.

        Raises:
            ValueError: If every run failed.
        """
        alive = [run for run, climb in enumerate(self.climbs) if not climb.failed]
        if not alive:
            raise ValueError(
                f"all {len(self.climbs)} runs have a covariance that is not positive definite, "
                f"expected at least one sound run; increase reg_covar, lower n_components or "
                f"scale the data"
            )
        best = max(alive, key=lambda run: self.climbs[run].lower_bound)
        climb = self.climbs[best]
        return Run(
            self.parameters.apply(lambda values: values[best : best + 1]),
            climb.lower_bound,
            tuple(climb.bounds),
            climb.converged,
        )

    def describe(self, interval: int, *, bounds: bool) -> str:
        """How every run went, a line for its start, every few iterations, and its end.

        Args:
            interval: Iterations between two lines.
            bounds: Whether to give the lower bound in every line.
        """
        lines = []
        for run, climb in enumerate(self.climbs):
            lines.append(f"Initialization {run}")
            for step in range(interval, len(climb.bounds) + 1, interval):
                lower_bound = f"\t lower bound {climb.bounds[step - 1]:.5f}" if bounds else ""
                lines.append(f"  Iteration {step}{lower_bound}")
            word = "converged" if climb.converged else "did not converge"
            lines.append(
                f"Initialization {run} {'failed' if climb.failed else word} after "
                f"{len(climb.bounds)} iterations, lower bound {climb.lower_bound:.5f}"
            )
        return "\n".join(lines)

    def diagnostics(self) -> dict[str, list[Any]]:
        """How every run ended, in the order of the restarts, as plain numbers."""
        return {
            "lower_bound": [climb.lower_bound for climb in self.climbs],
            "n_iter": [len(climb.bounds) for climb in self.climbs],
            "converged": [climb.converged for climb in self.climbs],
            "failed": [climb.failed for climb in self.climbs],
            "added_variances": self.added.tolist(),
        }


@dataclass(frozen=True)
class _Batch:
    """Some runs: which of all they are, and what they have reached."""

    runs: list[int]
    parameters: Estimate
    added: Float[Tensor, "run d"]

    def pick(self, places: Sequence[int]) -> "_Batch":
        """Those at some places of the batch; nothing is copied where they are all or none."""
        if len(places) == len(self.runs):
            return self
        if not places:
            return _Batch([], self.parameters, self.added)
        index = torch.tensor(places, dtype=torch.long, device=self.added.device)
        runs = [self.runs[place] for place in places]
        return _Batch(runs, self.parameters.select(index), self.added[index])

    def put(self, some: "_Batch") -> "_Batch":
        """The batch of all runs, with some as they are in another."""
        if not some.runs:
            return self
        if len(some.runs) == len(self.runs):
            return some
        index = torch.tensor(some.runs, dtype=torch.long, device=self.added.device)
        parameters = self.parameters.replace_runs(index, some.parameters)
        return _Batch(self.runs, parameters, self.added.index_copy(0, index, some.added))


def run(
    samples: Samples,
    start: Estimate,
    valid: Bool[Tensor, " run"],
    objective: Objective,
    *,
    tol: float = 1e-3,
    max_iter: int = 100,
    lower_bound: float = -torch.inf,
) -> Runs:
    """Iterates E- and M-step on every run until its bound changes by less than ``tol``.

    The rule is scikit-learn's, so the number of iterations is too. A run that has finished leaves
    the batch, and so does one that fails.

    Args:
        samples: Shared by all runs.
        start: Parameters to start from.
        valid: Which of them are positive definite; the other runs have failed.
        objective: What to climb.
        tol: Tolerance in the units of the bound, nats per sample for the likelihood.
        max_iter: Largest number of iterations.
        lower_bound: Bound of the start, where EM goes on from an earlier fit.
    """
    sound = valid.tolist()
    climbs = [Climb(lower_bound if each else -math.inf, failed=not each) for each in sound]
    about = start.translate(-samples.reference)
    reached = _Batch(list(range(start.n_runs)), about, torch.zeros_like(about.means[:, 0]))
    batch = reached.pick([run for run, each in enumerate(sound) if each])
    for _ in range(max_iter):
        if not batch.runs:
            break
        batch = _iterate(samples, batch, objective, climbs, tol)
        active = [place for place, run in enumerate(batch.runs) if not climbs[run].ended]
        if len(active) < len(batch.runs):
            reached, batch = reached.put(batch), batch.pick(active)
    reached = reached.put(batch)
    return Runs(reached.parameters.translate(samples.reference), climbs, reached.added)


def _which_again(
    samples: Samples, current: Estimate, maximum: Maximum, objective: Objective
) -> Bool[Tensor, " run"]:
    """Which runs were summed in too few digits.

    Where sums in float32 lead to a mixture that is too near to singular for float32, or too far
    from the reference, they had too few digits for it, and are taken again in float64.
    """
    if samples.dtype == torch.float64 or are_summed_as_few(samples, current):
        return torch.zeros_like(maximum.valid)
    task = task_of(current, samples.n_samples, samples.dtype)
    return need_again(current, maximum.parameters, maximum.valid, objective.covariance, task)


def _sum_again(
    samples: Samples,
    current: Estimate,
    statistics: Statistics,
    again: Bool[Tensor, " run"],
    objective: Objective,
) -> Statistics:
    """The statistics, those of some runs taken again in float64."""
    double = objective.expectation(samples, current.select(again), double=True)
    order = torch.cat([again.nonzero()[:, 0], (~again).nonzero()[:, 0]]).argsort()
    return join_runs([double, statistics.select(~again)]).select(order)


def _iterate(
    samples: Samples, before: _Batch, objective: Objective, climbs: Sequence[Climb], tol: float
) -> _Batch:
    """One E- and one M-step of the runs that have not ended; their climbs are taken down."""
    current = before.parameters
    statistics = objective.expectation(samples, current)
    maximum = objective.maximise(statistics)
    again = _which_again(samples, current, maximum, objective)
    bounds = objective.lower_bound(statistics, current, maximum.parameters)
    reached, is_again = _tell(bounds, maximum, again)
    if any(is_again):
        statistics = _sum_again(samples, current, statistics, again, objective)
        maximum = objective.maximise(statistics)
        bounds = objective.lower_bound(statistics, current, maximum.parameters)
        reached, _ = _tell(bounds, maximum, again)
    parameters = maximum.parameters
    for run, bound in zip(before.runs, reached, strict=True):
        climbs[run].step(bound, tol)
    failed = [place for place, run in enumerate(before.runs) if climbs[run].failed]
    if failed:
        index = torch.tensor(failed, device=bounds.device)
        parameters = parameters.replace_runs(index, before.parameters.select(index))
    return _Batch(before.runs, parameters, maximum.added)


def _tell(
    bounds: Float[Tensor, " run"], maximum: Maximum, again: Bool[Tensor, " run"]
) -> tuple[list[float], list[float]]:
    """The bounds, -inf where a run failed, and which runs to sum again: one copy to the host."""
    sound = bounds.where(maximum.valid, -math.inf)
    reached, is_again = torch.stack([sound, again.to(sound)]).tolist()
    return reached, is_again
