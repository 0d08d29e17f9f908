import os
import subprocess
import sys

import pytest
from small_benchmark import EXPLAINERS, METRICS, REGIONS, table

from cellxai.explain.benchmark.shards import Shard
from cellxai.files.config import write_config
from cellxai.verbs.benchmark.processes import share_of_this_process, wait_for_all

pytestmark = pytest.mark.usefixtures("drawn")


@pytest.mark.slow
def test_two_processes_of_torchrun_make_one_table(run, measured):
    write_config(
        run.parent / "both.yaml",
        {"explainers": EXPLAINERS, "metrics": METRICS, "superpixels": REGIONS, "device": "cpu"},
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2",
               "-m", "cellxai", "benchmark", str(run),
               "--config", str(run.parent / "both.yaml")]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for _ in range(2):  # the second finds all of it done
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("48 scores") == 1  # one of them reports
        assert table(run / "benchmark", "table") == table(measured.folder, "table")


def test_a_process_alone_has_the_shard_that_was_asked_for(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with share_of_this_process(Shard(2, 3)) as shard:
        assert shard == Shard(2, 3)
        assert wait_for_all()


def test_a_shard_of_several_processes_that_have_theirs_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    with (
        pytest.raises(ValueError, match="shard=2/3: each of 4 processes has its shard already"),
        share_of_this_process(Shard(2, 3)),
    ):
        pass
