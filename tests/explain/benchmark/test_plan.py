import inspect

import pytest
import torch

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import plan
from cellxai.explain.benchmark.items import Item
from cellxai.explain.benchmark.plan import Setup, planned_keys, survey, tasks_of
from cellxai.explain.controls import Edges
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.superpixels.methods import Grid


class Damaged(list):
    """Its second item cannot be loaded."""

    def __getitem__(self, index):
        # Not to the checker of types, which looks at one item of its choice.
        if index == 1 and inspect.stack()[1].filename == plan.__file__:
            raise OSError("b.png: truncated")
        return super().__getitem__(index)


@pytest.fixture
def items(images) -> list[Item]:
    return [Item(name, image) for name, image in zip("abc", images, strict=True)]


def test_images_keep_their_index_where_one_before_them_is_left_out(items):
    lines = []
    images = survey(Damaged(items), lines.append)
    assert {name: index for name, (index, _) in images.items()} == {"a": 0, "c": 2}
    assert images["c"][1] == items[2].identity
    assert lines == ["image 2 of 3 left out: b.png: truncated"]


def test_an_id_that_is_there_twice_is_refused(items):
    with pytest.raises(ValueError, match="two images have the id 'a'"):
        survey([items[0], items[0]], pytest.fail)


def test_keys_and_tasks_are_the_same_work():
    keys = planned_keys("ab", ["lime", "edges"], ["gini", "deletion"], [0, 1])
    assert len(set(keys)) == 2 * 2 * 2 * 2
    tasks = tasks_of(keys)
    assert [(task.explainer, task.seed) for task in tasks["b"]] == [
        ("lime", 0), ("edges", 0), ("lime", 1), ("edges", 1),
    ]  # fmt: skip
    assert {task.metrics for task in tasks["a"]} == {("gini", "deletion")}
    again = planned_keys(tasks, ["lime", "edges"], ["gini", "deletion"], [0, 1])
    assert again == keys


def test_whatever_a_row_depends_on_is_among_the_settings(net):
    explainers = {"edges": Edges(), "saliency": Saliency()}
    metrics = {"gini": Gini(), "deletion": DeletionAUC()}
    setup = Setup(net, explainers, metrics, Grid(8), ConstantBaseline())
    settings = setup.settings()
    assert {*settings} == {
        "model", "precision", "superpixels", "baseline",
        "explainer 'edges'", "explainer 'saliency'",
        "control 'edges'", "control 'saliency'", "metric 'gini'", "metric 'deletion'",
    }  # fmt: skip
    assert (settings["control 'edges'"], settings["control 'saliency'"]) == ("yes", "no")
    with torch.no_grad():
        net[0].bias.add_(1)
    changed = Setup(net, explainers, metrics, Grid(4), ConstantBaseline()).settings()
    assert {name for name in settings if settings[name] != changed[name]} == {
        "model", "superpixels",
    }  # fmt: skip
    assert [(measure.metric, measure.direction) for measure in setup.measures()] == [
        ("gini", "higher"), ("deletion", "lower"),
    ]  # fmt: skip
