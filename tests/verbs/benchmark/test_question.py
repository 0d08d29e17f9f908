import shutil
from pathlib import Path

import pytest

from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.benchmark.shards import WHOLE, Shard
from cellxai.explain.controls import Edges
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.superpixels.methods import Grid
from cellxai.verbs.benchmark.question import Question, assign


def ask(run, **others) -> Question:
    arguments = {
        "explainers": {"edges": Edges()}, "metrics": None, "superpixels": Grid(16),
        "baseline": BlurBaseline(), "truth": None, "images_per_class": 1, "part": None,
        "score": "logit", "seeds": (0, 1), "batch_size": None, "device": "cpu",
        "precision": "exact", "shard": None, "retry_failed": False,
    }  # fmt: skip
    return Question(run=run, **arguments | others)


def test_the_standard_metrics_are_those_that_the_images_have_a_truth_for(tiny_run):
    assignment = assign(ask(tiny_run), WHOLE)
    assert {"deletion", "Gini", "mass in cells", "mass in cause"} <= {*assignment.setup.metrics}
    assert [*assign(ask(tiny_run, metrics={"mine": Gini()}), WHOLE).setup.metrics] == ["mine"]


def test_processes_share_the_images_and_write_files_of_their_own(tiny_run):
    whole = assign(ask(tiny_run), WHOLE)
    shares = [assign(ask(tiny_run), Shard(number, 2)) for number in (1, 2)]
    names = [[item.id for item in assignment.items] for assignment in (whole, *shares)]
    assert sorted(names[1] + names[2]) == sorted(names[0])
    assert [assignment.path.name for assignment in (whole, *shares)] == [
        "results.sqlite", "results-1-of-2.sqlite", "results-2-of-2.sqlite"
    ]  # fmt: skip


def test_another_score_has_a_folder_and_a_model_of_its_own(tiny_run):
    plain, odds = (assign(ask(tiny_run, score=score), WHOLE) for score in ("logit", "log_odds"))
    assert (plain.score, odds.score) == ("logit", "log_odds")
    assert odds.path.parent == plain.path.parent / "log_odds"
    image = plain.items[0].image[None]
    assert not plain.setup.model(image).equal(odds.setup.model(image))


def test_a_density_that_was_never_fitted_is_an_error(tiny_run, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.rmtree(run / "density", ignore_errors=True)  # of another test
    with pytest.raises(FileNotFoundError, match="cellxai density"):
        assign(ask(run, score="density"), WHOLE)
