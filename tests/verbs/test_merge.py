from pathlib import Path

import pytest
from small_benchmark import EXPLAINERS, REGIONS

from cellxai.explain.benchmark.shards import Shard
from cellxai.explain.metrics.complexity import Gini
from cellxai.verbs.benchmark import benchmark
from cellxai.verbs.merge import Merged, command_for, merge

pytestmark = pytest.mark.usefixtures("drawn")


def test_a_shard_that_is_not_there_yet_is_named(run):
    benchmark(run, EXPLAINERS, {"Gini": Gini()}, REGIONS, images_per_class=1, shard="2/3")
    assert "no file yet of shard 1/3" in str(merge(run))


def test_there_is_nothing_to_merge_without_shards(run):
    with pytest.raises(FileNotFoundError, match="holds no shard; run `cellxai benchmark"):
        merge(run)


def test_what_was_merged_is_told_with_the_shards_that_are_absent(tmp_path):
    merged = Merged(tmp_path, (tmp_path / "a", tmp_path / "b"), 3, 12, (Shard(2, 3),))
    assert str(merged).splitlines() == [
        f"{tmp_path}: 3 rows of 2 shards added, 12 in results.sqlite and its tables",
        "no file yet of shard 2/3",
    ]


@pytest.mark.parametrize(
    ("score", "command"),
    [("logit", "cellxai merge --run a"), ("density", "cellxai merge --run a --score density")],
)
def test_a_command_names_the_score_unless_it_is_the_usual_one(score, command):
    assert command_for("merge", Path("a"), score) == command


def test_a_score_of_ones_own_is_not_named_by_a_word_that_the_command_does_not_know(run):
    with pytest.raises(FileNotFoundError, match="benchmark Margin with --shard 1/2 and the rest"):
        merge(run, "Margin")
    with pytest.raises(FileNotFoundError, match="--score density --shard 1/2` and the rest"):
        merge(run, "density")
