"""Several processes at one benchmark, as ``torchrun`` starts them: each takes a shard."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from cellxai.explain.benchmark.shards import Shard

PATIENCE = timedelta(days=30)  # of the first to be done; one that dies is noticed at once


@contextmanager
def share_of_this_process(asked: Shard) -> Iterator[Shard]:
    """The shard of this process: what was asked for, or its rank among several.

    Raises:
        ValueError: If there are several processes and a shard was asked for, too.
    """
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    if n_processes == 1:
        yield asked
        return
    if asked.of > 1:
        raise ValueError(
            f"shard={asked.number}/{asked.of}: each of {n_processes} processes has its shard "
            "already; leave it out, or start one process"
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    dist.init_process_group("gloo", timeout=PATIENCE)  # no tensor is sent: any device will do
    try:
        yield Shard(dist.get_rank() + 1, n_processes)
    finally:
        dist.destroy_process_group()


def wait_for_all() -> bool:
    """Waits until every process has come here; True for the one that finishes the work."""
    if not dist.is_initialized():
        return True
    dist.barrier()
    return dist.get_rank() == 0
