"""Samples in several processes, fitted as one: their statistics are summed, wherever they are."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial, reduce
from operator import add
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike
from torch import Tensor
from torch.distributed import ProcessGroup
from typing_extensions import override

from gmm.covariance import Covariance
from gmm.samples.chunks import Check, Chunks, as_chunks
from gmm.samples.in_memory import InMemory
from gmm.samples.placement import own_device
from gmm.samples.statistics import Chunk, Statistics
from gmm.samples.streaming import Streamed, Surveyed
from gmm.samples.survey import Moments, Survey, check_weight, no_moments, survey
from gmm.samples.validation import check_finite


@dataclass(frozen=True)
class Sharded:
    """This process's share of the samples, for a fit that all processes of a group do together.

    Every process calls ``fit`` with its own share and ends with the same mixture. What they send
    each other in an iteration is the statistics, run × k × (1 + d + d²) numbers at most, whatever
    the number of samples. Started by ``torchrun``::

        torch.distributed.init_process_group("gloo")
        rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        GaussianMixture(16, random_state=0).fit(Sharded(features[rank::world]))

    or by Lightning Fabric::

        fabric = Fabric(accelerator="cuda", devices=4)
        fabric.launch()
        share = features[fabric.global_rank :: fabric.world_size].to(fabric.device)
        GaussianMixture(16, random_state=0).fit(Sharded(share))

    Shares may be unequal, and empty: ``Sharded([])``. A ``DistributedSampler`` repeats samples
    until shares are equal, and repeated samples count twice: cut the samples as above instead.
    ``sample_weight`` is that of the share. Score the share itself, not ``Sharded``.

    Args:
        x: The samples of this process, in any form that ``fit`` takes.
        group: The processes; None for all.
    """

    x: Any
    group: ProcessGroup | None = None

    def samples(
        self,
        sample_weight: ArrayLike | Tensor | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        check: Check = check_finite,
    ) -> "Pooled":
        """The samples of all processes, after a first pass over those of this one.

        Args:
            sample_weight: How often each sample of this process counts; None for once.
            device: Where to compute; None for where the first chunk is.
            dtype: Precision to compute with; None for that of the samples.
            check: Refuses chunks of values that cannot be used.

        Raises:
            ValueError: If there is no process group, or the samples of any process cannot be used.
        """
        if not dist.is_initialized():
            raise ValueError(
                "Sharded needs a process group, and torch.distributed has none; call "
                "torch.distributed.init_process_group under torchrun, or pass the samples alone"
            )
        source, mistake, mine = None, None, None
        try:
            source = _source(self.x)
            mine = survey(source.matrices(check), sample_weight, device)
        except (ValueError, OSError) as error:
            mistake = error
        # Raised only after all have sent, since the others would wait for this one forever.
        form = _agree_on_form(mine, mistake, self.group)
        if mine is None:
            where = torch.device(device or "cpu")
            mine = Survey(no_moments(form.n_features, where), form.dtype, form.as_tensors)
        assert source is not None
        parts = _gather_moments(mine.moments, self.group)
        total = reduce(add, parts)
        check_weight(total)
        mine = mine.with_dtype(dtype or form.dtype)
        first = sum(part.n_samples for part in parts[: dist.get_rank(self.group)])
        pooled = Survey(total, mine.dtype, form.as_tensors)
        return Pooled(
            pooled,
            Streamed(mine, partial(source.matrices, check)),
            first,
            form.weighted,
            self.group,
        )

    def __iter__(self) -> Iterator[Any]:
        raise ValueError(
            "Sharded samples are for fit, expected samples to score; pass the share itself"
        )


@dataclass(frozen=True)
class Pooled(Surveyed):
    """The samples of all processes of a group, in the order of their ranks.

    Args:
        mine: Samples of this process.
        first: Number of samples in the processes before it.
        weighted: Whether any process has weights.
        group: The processes; None for all.
    """

    mine: Streamed
    first: int
    weighted: bool
    group: ProcessGroup | None = None

    @override
    def chunks(
        self, covariance: Covariance, size: int, dtype: torch.dtype = torch.float64
    ) -> Iterator[Chunk]:
        return self.mine.chunks_about(self.reference, covariance, size, dtype)

    @override
    def pool(self, statistics: Statistics) -> Statistics:
        values = [getattr(statistics, field.name) for field in fields(statistics)]
        summed = _sum(torch.cat([value.flatten() for value in values]), self.group)
        parts = summed.split([value.numel() for value in values])
        return type(statistics)(
            *(part.reshape(old.shape) for part, old in zip(parts, values, strict=True))
        )

    @override
    def agree(self, values: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        sent = values.to(_wire(self.group, values.device), torch.float64, copy=True).contiguous()
        dist.broadcast(sent, group=self.group, group_src=0)
        return sent.to(values)

    @override
    def rows_at(self, indices: Int[Tensor, " some"]) -> InMemory:
        is_mine = (indices >= self.first) & (indices < self.first + self.mine.n_samples)
        mine = self.mine.rows_at(indices[is_mine] - self.first)
        # Every row has one process that knows it; in the others it is 0, and the sum is exact.
        rows = torch.zeros(len(indices), len(self.reference) + 1, dtype=torch.float64)
        rows[is_mine, :-1] = mine.x.to(rows)
        rows[is_mine, -1] = 1.0 if mine.weights is None else mine.weights.to(rows)
        rows = _sum(rows, self.group).to(self.survey.device)
        weights = rows[:, -1] if self.weighted else None
        return InMemory(rows[:, :-1].to(self.dtype), weights, self.reference)


@dataclass(frozen=True)
class _Form:
    """The common form of the samples of all processes."""

    n_features: int
    dtype: torch.dtype
    as_tensors: bool
    weighted: bool


def _agree_on_form(
    mine: Survey | None, mistake: Exception | None, group: ProcessGroup | None
) -> _Form:
    """The form of the samples of all processes; a mistake of one is an error in each of them."""
    sent = [float(mistake is not None), 0.0, 0.0, 0.0, 0.0]
    if mine is not None:
        double = mine.dtype == torch.float64
        weighted = mine.weights is not None
        sent[1:] = [len(mine.moments.mean), double, mine.as_tensors, weighted]
    received = _gather(torch.tensor(sent, dtype=torch.float64), group)
    if mistake is not None:
        raise mistake
    mistaken = received[:, 0].nonzero()[:, 0].tolist()
    if mistaken:
        raise ValueError(
            f"the samples of process {mistaken[0]} cannot be used, and its own error says why; "
            f"correct them there"
        )
    widths = received[:, 1].int().tolist()
    if len({*widths} - {0}) != 1:
        raise ValueError(
            f"the samples of the {len(widths)} processes have {widths} columns, expected one "
            f"number and samples in one process at least; only a share without samples has 0"
        )
    _, width, double, as_tensors, weighted = received.amax(0).int().tolist()
    dtype = torch.float64 if double else torch.float32
    return _Form(width, dtype, bool(as_tensors), bool(weighted))


def _gather_moments(mine: Moments, group: ProcessGroup | None) -> list[Moments]:
    """The moments of every process, in the order of their ranks."""
    numbers = mine.weight.new_tensor([mine.n_samples, mine.n_missing])
    ends = torch.cat([numbers, mine.weight[None], mine.squares[None]])
    received = _gather(torch.cat([ends, mine.mean, mine.known]), group).to(mine.mean.device)
    return [_moments(part) for part in received]


def _moments(sent: Float[Tensor, " m"]) -> Moments:
    mean, known = sent[4:].chunk(2)
    return Moments(int(sent[0]), sent[2], mean, sent[3], known, int(sent[1]))


def _source(x: Any) -> Chunks:
    """The samples of one process as chunks, of which there may be none."""
    if isinstance(x, (list, tuple)) and not x:
        return Chunks(())
    chunks = as_chunks(x)
    return Chunks((x if isinstance(x, Tensor) else np.asarray(x),)) if chunks is None else chunks


def _gather(values: Float[Tensor, " m"], group: ProcessGroup | None) -> Float[Tensor, "process m"]:
    """The values of every process, in the order of their ranks."""
    sent = values.to(_wire(group, values.device))
    received = [torch.empty_like(sent) for _ in range(dist.get_world_size(group))]
    dist.all_gather(received, sent, group=group)
    return torch.stack(received).to(values.device)


def _sum(values: Float[Tensor, "..."], group: ProcessGroup | None) -> Float[Tensor, "..."]:
    """The sum over all processes, the same to the last bit in each."""
    sent = values.to(_wire(group, values.device), copy=True).contiguous()
    dist.all_reduce(sent, group=group)
    return sent.to(values.device)


def _wire(group: ProcessGroup | None, near: torch.device) -> torch.device:
    """Where tensors have to be for a group to send them: NCCL reads the memory of a GPU alone.

    Args:
        group: The processes.
        near: Where they are. If that is a GPU, it is this process's own, whatever the current one.
    """
    if "nccl" not in str(dist.get_backend(group)):
        return torch.device("cpu")
    return near if near.type == "cuda" else own_device("cuda")
