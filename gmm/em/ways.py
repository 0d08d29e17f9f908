"""In which precision and form a pass over samples is computed, run by run."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gmm.covariance import Covariance
from gmm.covariance.cost import Task, prefers_float32
from gmm.em.parameters import Estimate

FLOAT32_INFLATION = 100.0  # see Covariance.inflation: float32 loses 1e-5 nats per feature there

FLOAT32_REACH = 40.0
# Squared standard deviations per feature from the reference to a component. Multiplied out, a
# distance is the small rest of terms this large: float32 loses 5e-6 nats per feature of a sample
# there, in one direction or the other, and 1e-7 of a mean of thousands.

FLOAT32_FARTHEST = 1e6
# The same for distances and moments about each component's own mean, which lose digits by the
# distance and not by its square: 2e-8 nats per feature and standard deviation, so 2e-5 there.

FLOAT64_REACH = 1000.0  # the same in float64, which loses 1e-13 nats per feature of a sample there

SAMPLES_PER_FEATURE = 4
# Fewer samples than so many times the features are computed in float64: whether float32 would do
# takes the inverse of a matrix to see, which then costs more than it can save.


@dataclass(frozen=True)
class Way:
    """How some runs are computed.

    Args:
        dtype: Precision of the chunks.
        packs: Whether products of features are written down, and distances multiplied out.
        about_means: Whether moments are summed about the means of the components first.
    """

    dtype: torch.dtype
    packs: bool
    about_means: bool = False


def task_of(
    parameters: Estimate, n_samples: int, dtype: torch.dtype, *, fitting: bool = True
) -> Task:
    """A pass over so many samples with these mixtures, see :class:`~gmm.covariance.cost.Task`."""
    n_runs, n_components, n_features = parameters.means.shape
    device = parameters.means.device
    return Task(n_samples, n_runs, n_components, n_features, dtype, device, fitting)


def reach(parameters: Estimate, covariance: Covariance) -> Float[Tensor, " run"]:
    """Squared distance of the farthest component from the reference, per feature."""
    means = parameters.means[..., None]
    distances = covariance.squared_distances(parameters.precisions_cholesky, means)
    return distances.amax((1, 2)) / parameters.n_features


def is_near(parameters: Estimate, covariance: Covariance) -> Bool[Tensor, " run"]:
    """Which runs float32 can compute multiplied out, about the reference."""
    return reach(parameters, covariance) < FLOAT32_REACH


def need_float64(parameters: Estimate, covariance: Covariance, task: Task) -> Bool[Tensor, " run"]:
    """Which runs have to be computed in float64: those of which float32 would lose digits.

    Args:
        parameters: Mixtures about the reference.
        covariance: Their type.
        task: The pass, in the precision of the samples.
    """
    chol, means = parameters.precisions_cholesky, parameters.means
    if not can_be_single(covariance, task):
        return torch.ones_like(means[:, 0, 0], dtype=torch.bool)
    limit = FLOAT32_FARTHEST if covariance.far_in_float32 else FLOAT32_REACH
    # Not >=: a run of NaN is not one for float32 either.
    near = reach(parameters, covariance) < limit
    return ~(near & (covariance.inflation(chol).amax(1) < FLOAT32_INFLATION))


def can_be_single(covariance: Covariance, task: Task) -> bool:
    """Whether some mixture of this kind could be computed in float32 with a gain."""
    few = task.n_samples < SAMPLES_PER_FEATURE * task.n_features
    return task.dtype == torch.float32 and covariance.in_float32 and not few


def need_again(
    before: Estimate,
    after: Estimate,
    valid: Bool[Tensor, " run"],
    covariance: Covariance,
    task: Task,
) -> Bool[Tensor, " run"]:
    """Which runs have to be summed again in float64, for what the sums have led to.

    Args:
        before: Mixtures about the reference that gave the responsibilities.
        after: Those that the sums led to.
        valid: Which of these are positive definite.
        covariance: Their type.
        task: The pass, in the precision of the samples.
    """
    if not can_be_single(covariance, task):
        return torch.zeros_like(valid)
    again = need_float64(after, covariance, task) | ~valid
    if covariance.far_in_float32:  # moments about the reference do not do for these
        again = again | (is_near(before, covariance) & ~is_near(after, covariance))
    if again.device.type == "cpu" and not again.any():  # elsewhere to ask costs more than to know
        return again
    return again & ~need_float64(before, covariance, task)


def choose_ways(
    parameters: Estimate,
    covariance: Covariance,
    task: Task,
    double: Bool[Tensor, " run"] | bool = False,
) -> list[tuple[Bool[Tensor, " run"], Way]]:
    """How to compute the runs of a fit: who goes together, and how.

    Args:
        parameters: Mixtures about the reference.
        covariance: Their type.
        task: The pass, in the precision of the samples.
        double: Which runs are computed in float64 in any case.
    """
    if task.dtype == torch.float64:
        everyone = torch.ones(parameters.n_runs, dtype=torch.bool, device=task.device)
        return [(everyone, _cheapest(covariance, task))]
    wide = need_float64(parameters, covariance, task) | double
    if wide.device.type == "cpu" and wide.all():
        return [(wide, _cheapest(covariance, replace(task, dtype=torch.float64)))]
    near = ~wide & is_near(parameters, covariance)
    far = ~wide & ~near
    groups = [
        (wide, lambda task: _cheapest(covariance, replace(task, dtype=torch.float64))),
        (near, lambda task: _cheapest(covariance, task)),
        (far, lambda task: Way(task.dtype, packs=False, about_means=True)),
    ]
    counts = torch.stack([wide, near, far]).sum(1).tolist()  # all that the host has to know
    if counts[2] and not prefers_float32(replace(task, n_runs=counts[2])):
        groups[0], groups[2] = (wide | far, groups[0][1]), (torch.zeros_like(far), groups[2][1])
        counts = [counts[0] + counts[2], counts[1], 0]
    return [
        (runs, choose(replace(task, n_runs=count)))
        for (runs, choose), count in zip(groups, counts, strict=True)
        if count
    ]


def choose_way(parameters: Estimate, covariance: Covariance, task: Task) -> Way:
    """How to compute densities alone: all runs in the same way.

    Args:
        parameters: Mixtures about the reference.
        covariance: Their type.
        task: The pass, in the precision of the samples.
    """
    double = _cheapest(covariance, replace(task, dtype=torch.float64))
    if not can_be_single(covariance, task) or need_float64(parameters, covariance, task).any():
        return double
    if is_near(parameters, covariance).all():
        return _cheapest(covariance, task)
    return Way(task.dtype, packs=False) if prefers_float32(task) else double


def needs_centre(parameters: Estimate, covariance: Covariance, task: Task) -> bool:
    """Whether densities are computed about the centre of the mixtures, and not about the origin.

    They have to be where the origin is so far that digits are lost. Elsewhere it is one more pass
    over the samples and a copy of them, which only types without matrices have done without it.

    Args:
        parameters: Mixtures as they are.
        covariance: Their type.
        task: The pass, in the precision of the samples.
    """
    if covariance.couples_features:
        return True
    limit = FLOAT64_REACH if task.dtype == torch.float64 else FLOAT32_REACH
    # Not >=: mixtures of NaN are not near.
    return not reach(parameters, covariance).amax().item() < limit


def _cheapest(covariance: Covariance, task: Task) -> Way:
    return Way(task.dtype, covariance.packs(task))
