"""Expectation maximisation of a batch of mixtures on the same samples."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gmm.em.objective import Maximum, Objective
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


@dataclass(frozen=True)
class Runs:
    """A batch of fitted mixtures.

    Args:
        parameters: Parameters of each run; where a run failed, those before its failure.
        lower_bound: Lower bound of each run in nats per sample; -inf where a run failed.
        history: Lower bound after each iteration; NaN after the last one of a run.
        converged: Whether the run's bound changed by less than ``tol``.
        failed: Whether some covariance of the run was not positive definite.
        added: What each variance was raised by beyond ``reg_covar``, see
            :class:`~gmm.em.objective.Maximum`, in the last iteration of each run.
    """

    parameters: Estimate
    lower_bound: Float[Tensor, " run"]
    history: Float[Tensor, "run iteration"]
    converged: Bool[Tensor, " run"]
    failed: Bool[Tensor, " run"]
    added: Float[Tensor, "run d"]

    def best(self) -> Run:
        """The run of greatest lower bound, the first of equals.

        Raises:
            ValueError: If every run failed.
        """
        alive = (~self.failed).nonzero()[:, 0].tolist()
        if not alive:
            raise ValueError(
                f"all {len(self.failed)} runs have a covariance that is not positive definite, "
                f"expected at least one sound run; increase reg_covar, lower n_components or "
                f"scale the data"
            )
        bounds = self.lower_bound.tolist()
        best = max(alive, key=bounds.__getitem__)
        history = self.history[best]
        return Run(
            parameters=self.parameters.select(torch.tensor([best], device=history.device)),
            lower_bound=bounds[best],
            lower_bounds=tuple(history[~history.isnan()].tolist()),
            converged=bool(self.converged[best]),
        )

    def describe(self, interval: int, *, bounds: bool) -> str:
        """How every run went, a line for its start, every few iterations, and its end.

        Args:
            interval: Iterations between two lines.
            bounds: Whether to give the lower bound in every line.
        """
        lines = []
        for run, history in enumerate(self.history.tolist()):
            known = [bound for bound in history if not math.isnan(bound)]
            lines.append(f"Initialization {run}")
            for step in range(interval, len(known) + 1, interval):
                lower_bound = f"\t lower bound {known[step - 1]:.5f}" if bounds else ""
                lines.append(f"  Iteration {step}{lower_bound}")
            word = "converged" if self.converged[run] else "did not converge"
            lines.append(
                f"Initialization {run} {'failed' if self.failed[run] else word} after "
                f"{len(known)} iterations, lower bound {float(self.lower_bound[run]):.5f}"
            )
        return "\n".join(lines)

    def diagnostics(self) -> dict[str, list[Any]]:
        """How every run ended, in the order of the restarts, as plain numbers."""
        return {
            "lower_bound": self.lower_bound.tolist(),
            "n_iter": (~self.history.isnan()).sum(1).tolist(),
            "converged": self.converged.tolist(),
            "failed": self.failed.tolist(),
            "added_variances": self.added.tolist(),
        }


@dataclass(frozen=True)
class _Progress:
    """A batch between two iterations: everything that one iteration reads and replaces."""

    parameters: Estimate
    lower_bound: Float[Tensor, " run"]
    converged: Bool[Tensor, " run"]
    failed: Bool[Tensor, " run"]
    added: Float[Tensor, "run d"]
    active: Int[Tensor, " some"]


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
    reference = samples.reference
    bounds = torch.full((start.n_runs,), lower_bound, dtype=torch.float64, device=valid.device)
    progress = _Progress(
        start.translate(-reference),
        bounds.where(valid, -torch.inf),
        torch.zeros_like(valid),
        ~valid,
        torch.zeros_like(start.means[:, 0]),
        valid.nonzero()[:, 0],
    )
    history = []
    while len(history) < max_iter and len(progress.active):
        progress, bounds = _iterate(samples, progress, objective, tol)
        history.append(bounds)
    return Runs(
        progress.parameters.translate(reference),
        progress.lower_bound,
        torch.stack(history, 1) if history else bounds.new_empty(start.n_runs, 0),
        progress.converged,
        progress.failed,
        progress.added,
    )


def _step(samples: Samples, current: Estimate, objective: Objective) -> tuple[Statistics, Maximum]:
    """One E- and one M-step.

    Where sums in float32 lead to a mixture that is too near to singular for float32, or too far
    from the reference, they had too few digits for it, and are taken again in float64.
    """
    statistics = objective.expectation(samples, current)
    maximum = objective.maximise(statistics)
    task = task_of(current, samples.n_samples, samples.dtype)
    again = need_again(current, maximum.parameters, maximum.valid, objective.covariance, task)
    if not again.any():
        return statistics, maximum
    double = objective.expectation(samples, current.select(again), double=True)
    order = torch.cat([again.nonzero()[:, 0], (~again).nonzero()[:, 0]]).argsort()
    statistics = join_runs([double, statistics.select(~again)]).select(order)
    return statistics, objective.maximise(statistics)


def _iterate(
    samples: Samples, before: _Progress, objective: Objective, tol: float
) -> tuple[_Progress, Float[Tensor, " run"]]:
    """One E- and one M-step of the active runs; also their bounds, NaN for the others."""
    active = before.active
    current = before.parameters.select(active)
    statistics, maximum = _step(samples, current, objective)
    parameters = maximum.parameters
    bounds = objective.lower_bound(statistics, current, parameters)
    valid = maximum.valid & bounds.isfinite()
    bounds = bounds.where(valid, -torch.inf)
    converged = valid & ((bounds - before.lower_bound[active]).abs() < tol)
    sound = active[valid]
    after = _Progress(
        before.parameters.replace_runs(sound, parameters.select(valid)),
        before.lower_bound.index_copy(0, active, bounds),
        before.converged.index_copy(0, active, converged),
        before.failed.index_copy(0, active, ~valid),
        before.added.index_copy(0, active, maximum.added),
        active[valid & ~converged],
    )
    return after, torch.full_like(after.lower_bound, torch.nan).index_copy(0, active, bounds)
