"""Two processes at the results of one run: the second is sent away, and shards are not."""

import subprocess
from pathlib import Path

import pytest

from cellxai.explain.controls import Edges
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.merge import merge

pytestmark = pytest.mark.usefixtures("drawn")
ASKED = {"explainers": {"edges": Edges()}, "metrics": {"Gini": Gini()},
         "superpixels": Grid(16), "images_per_class": 1}  # fmt: skip


@pytest.fixture
def other(run, held_by_another) -> subprocess.Popen[str]:
    """Another process that writes the results of the run."""
    lock = 'file_lock(Path(sys.argv[1]), "written", "go away")'
    return held_by_another(lock, run / "benchmark" / "results.sqlite")


def files(run: Path) -> set[str]:
    return {path.name for path in (run / "benchmark").iterdir()}


def test_a_second_start_is_told_who_is_at_it_and_writes_nothing(run, other):
    before = files(run)
    message = rf"is being written by process {other.pid} on .*; wait for it, .* by --shard i/n"
    with pytest.raises(ValueError, match=message):
        benchmark(run, **ASKED)
    assert files(run) == before == {".results.sqlite.lock"}


def test_a_dry_run_and_a_shard_disturb_nobody(run, other):
    assert benchmark(run, dry_run=True, **ASKED).n_scores == 3
    assert benchmark(run, shard="1/2", **ASKED).rows == 2
    with pytest.raises(ValueError, match=rf"is being written by process {other.pid}"):
        merge(run)
    other.communicate("")
    assert merge(run).new == 2


def test_a_killed_start_is_in_nobodys_way(run, other):
    other.kill()  # as kill -9 does
    other.wait()
    assert ".results.sqlite.lock" in files(run)
    assert benchmark(run, **ASKED).rows == 3
    assert not [name for name in files(run) if name.endswith(".lock")]
