"""What stops with an error is a row that says so, and the rest goes on."""

import inspect
import math

import pytest
import torch

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import Attribution, Context, Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import Item, Setup, plan, run_benchmark
from cellxai.explain.benchmark.judge import Metered
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.agreement import RankCorrelation, SignAgreement, TopKOverlap
from cellxai.explain.metrics.base import Metric
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.metrics.sanity import ParameterRandomisation
from cellxai.explain.metrics.stability import MaxSensitivity
from cellxai.explain.metrics.truth import RemovalCorrelation
from cellxai.explain.results.method_agreement import compare_methods
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid


class Fails(Explainer):
    """Stops with an error until it is repaired."""

    repaired = False

    def attribute(self, model, images, targets, context):
        if not Fails.repaired:
            raise RuntimeError("two\nlines")
        return Attribution(images[:, 0])


class Picky(Metric):
    """Fails at maps whose mean is negative."""

    name, family, direction, range, paper = "picky", "other", "higher", (0.0, 1.0), "none"

    def measure(self, case, attribution):
        if attribution.values.mean() < 0:
            raise ValueError("a negative mean")
        return attribution.values.mean((1, 2))


class Negative(Explainer):
    """Evidence against everything."""

    def attribute(self, model, images, targets, context):
        return Attribution(-images[:, 0])


@pytest.fixture
def items(images):
    return [Item(f"{i}.png", image) for i, image in enumerate(images)]


@pytest.fixture
def run(net, items, tmp_path):
    """Runs a benchmark to its end; returns its store."""

    def start(explainers, metrics, **others):
        store = Store(tmp_path / "results.sqlite")
        given = {"model": net, "items": items, "superpixels": Grid(4), "tell": None} | others
        baseline = ConstantBaseline(0.5)
        setup = Setup(given["model"], explainers, metrics, given["superpixels"], baseline)
        retry, tell = given.get("retry_failed", False), given["tell"] or pytest.fail
        for _ in run_benchmark(setup, given["items"], store, 32, retry, tell):
            pass
        return store

    return start


def test_an_explainer_that_fails_is_a_row_with_the_reason_and_the_others_go_on(run):
    store = run({"fails": Fails(), "edges": Edges()}, {"gini": Gini()})
    failed = [row for row in store.rows() if row.explainer == "fails"]
    assert {(row.status, row.reason) for row in failed} == {("failed", "RuntimeError: two lines")}
    assert all(math.isnan(row.value) for row in failed)
    assert {row.status for row in store.rows() if row.explainer == "edges"} == {"ok"}
    assert [answer.status for answer in store.answers()].count("failed") == len(failed) == 3


def test_what_failed_is_computed_again_only_when_asked(run, monkeypatch):
    run({"fails": Fails()}, {"gini": Gini()})
    monkeypatch.setattr(Fails, "repaired", True)
    assert {row.status for row in run({"fails": Fails()}, {"gini": Gini()}).rows()} == {"failed"}
    repaired = run({"fails": Fails()}, {"gini": Gini()}, retry_failed=True)
    assert {row.status for row in repaired.rows()} == {"ok"}
    assert {answer.status for answer in repaired.answers()} == {"ok"}


def test_a_later_failure_takes_neither_evidence_nor_rows_away(run, monkeypatch):
    monkeypatch.setattr(Fails, "repaired", True)
    run({"fails": Fails()}, {"gini": Gini()})
    monkeypatch.setattr(Fails, "repaired", False)
    store = run({"fails": Fails()}, {"gini": Gini(), "deletion": DeletionAUC()})
    assert {(row.metric, row.status) for row in store.rows()} == {
        ("gini", "ok"),
        ("deletion", "failed"),
    }
    assert all(answer.status == "ok" and answer.evidence is not None for answer in store.answers())


def test_a_metric_that_fails_leaves_the_map_and_the_other_metrics_in_peace(run):
    store = run({"negative": Negative(), "edges": Edges()}, {"picky": Picky(), "gini": Gini()})
    actual = {(row.explainer, row.metric): (row.status, row.reason) for row in store.rows()}
    assert actual["negative", "picky"] == ("failed", "metric: ValueError: a negative mean")
    assert actual["negative", "gini"] == actual["edges", "picky"] == ("ok", "")
    assert {answer.status for answer in store.answers()} == {"ok"}


def test_an_image_whose_truth_cannot_be_found_fails_alone(run, items):
    def unreadable(target: int):
        raise OSError("no such mask")

    items[1] = Item(items[1].id, items[1].image, truth=unreadable)
    store = run({"edges": Edges()}, {"gini": Gini()})
    actual = {row.image: (row.status, row.reason) for row in store.rows()}
    assert actual["1.png"] == ("failed", "image: OSError: no such mask")
    assert actual["0.png"] == actual["2.png"] == ("ok", "")


def test_an_image_that_cannot_be_loaded_is_told_of_and_left_out(run, items):
    class Damaged(list):
        def __getitem__(self, place):
            # Not when the checker of annotations looks at any of the items.
            if place == 1 and inspect.stack()[1].filename == plan.__file__:
                raise OSError("1.png: truncated")
            return super().__getitem__(place)

    lines = []
    store = run({"edges": Edges()}, {"gini": Gini()}, items=Damaged(items), tell=lines.append)
    assert lines == ["image 2 of 3 left out: 1.png: truncated"]
    assert [row.image for row in store.rows()] == ["0.png", "2.png"]


def test_metrics_of_maps_share_what_was_asked_and_metrics_of_explainers_count_theirs(run, net):
    asked = []
    hook = net.register_forward_hook(lambda *passed: asked.append(len(passed[2])))
    metrics = {
        "deletion": DeletionAUC(),
        "again": DeletionAUC(),
        "insertion": InsertionAUC(),
        "sensitivity": MaxSensitivity(n_samples=3),
        "randomised": ParameterRandomisation(n_stages=2),
    }
    store = run({"saliency": Saliency()}, metrics, items=[Item("a", torch.rand(3, 16, 16), 0)])
    hook.remove()
    passes = {row.metric: (row.metric_forwards, row.metric_backwards) for row in store.rows()}
    assert passes["deletion"] == (17, 0)
    assert passes["again"] == (0, 0)
    assert passes["insertion"][0] == 15  # its ends are those of the deletion
    assert passes["sensitivity"] == (3, 3)
    assert passes["randomised"] == (2, 2)  # on copies, which the hook was copied with
    (answer,) = store.answers()
    assert (answer.forwards, answer.backwards) == (1, 1)
    assert sum(asked) == sum(forwards for forwards, _ in passes.values()) + answer.forwards


def test_a_metered_explainer_says_what_it_says_and_counts(net, images, targets, context):
    metered = Metered(Saliency())
    for _ in range(2):
        actual = metered.attribute(net, images, targets, context)
    assert actual.values.equal(Saliency().attribute(net, images, targets, context).values)
    assert (metered.forwards, metered.backwards) == (6, 6)


def test_evidence_tells_the_agreement_of_the_maps_themselves(run, net, images, context):
    explainers = {"saliency": Saliency(), "random": RandomAttribution(), "edges": Edges()}
    store = run(explainers, {"gini": Gini()}, superpixels=Grid(8), items=[
        Item(f"{i}", image, 0) for i, image in enumerate(images)
    ])  # fmt: skip
    targets = torch.zeros(3, dtype=torch.int64)
    seen = Context(context.superpixels, context.baseline, seed=0)
    maps = {
        name: explainer.attribute(net, images, targets, seen)
        for name, explainer in explainers.items()
    }
    for similarity, actual in zip(
        (RankCorrelation(), TopKOverlap(), SignAgreement()),
        compare_methods(store.answers(), list(explainers)), strict=True,
    ):  # fmt: skip
        assert similarity.name == actual.similarity
        for i, first in enumerate(maps.values()):
            for j, second in enumerate(maps.values()):
                expected = similarity.between(first, second, seen)
                assert actual.by_image[:, i, j] == pytest.approx(expected.numpy(), abs=1e-6)


def test_true_effects_are_found_out_for_the_predicted_class_and_only_when_needed(run, net, images):
    asked = []

    def truth(target: int):
        asked.append(target)
        parts = torch.zeros(2, 16, 16, dtype=torch.bool)
        parts[0, :8], parts[1, 8:] = True, True
        return {"parts": parts, "effects": torch.tensor([1.0, 0.0])}

    items = [Item(f"{i}", image, truth=truth) for i, image in enumerate(images)]
    store = run({"edges": Edges()}, {"effects": RemovalCorrelation()}, items=items)
    assert asked == net(images).argmax(1).tolist()
    assert [answer.target for answer in store.answers()] == asked
    assert {abs(row.value) for row in store.rows()} == {1.0}
    run({"edges": Edges()}, {"effects": RemovalCorrelation()}, items=items)
    assert len(asked) == 3
