from dataclasses import replace

import pytest
import torch

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import Item, Setup, planned_keys, run_benchmark
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC
from cellxai.explain.metrics.localisation import RelevanceMass
from cellxai.explain.results.rows import Key
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

METRICS = {"gini": Gini(), "deletion": DeletionAUC(), "overlap": RelevanceMass("cells")}


class Counting(Explainer):
    """An explainer that knows how often it was asked."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls = 0

    def attribute(self, model, images, targets, context):
        self.calls += 1
        return Attribution(model(images)[:, :1, None] * images[:, 0] + context.seed)


@pytest.fixture
def items(images):
    cells = torch.zeros(16, 16, dtype=torch.bool)
    cells[4:12, 4:12] = True
    items = [Item(f"{i}.png", image, i, {"cells": cells}) for i, image in enumerate(images)]
    return [*items[:2], replace(items[2], truth={})]  # the last without a mask


@pytest.fixture
def run(net, items, tmp_path):
    """Runs a benchmark on the one store, to the end or to the n-th attribution."""

    def start(explainers, metrics=METRICS, seeds=(0, 1), stop_after=None, **others):
        given = {"model": net, "items": items} | others
        setup = Setup(
            given["model"], explainers, metrics, Grid(size_px=8), ConstantBaseline(0.5), seeds
        )
        steps = run_benchmark(setup, given["items"], Store(tmp_path / "results.sqlite"), 32)
        progress = []
        for step in steps:
            progress.append(step)
            if len(progress) == stop_after:
                steps.close()
        return progress

    start.store = Store(tmp_path / "results.sqlite")
    return start


def without_times(rows):
    """Rows without what they took: seconds, and passes that a metric was spared."""
    return [(row.key, row.value, row.chance, row.status, row.reason, row.forwards, row.backwards)
            for row in rows]  # fmt: skip


def test_every_key_gets_its_row_with_score_chance_and_cost(run, net, items):
    run({"counting": Counting(), "edges": Edges()})
    rows = run.store.rows()
    names = [item.id for item in items]
    planned = set(planned_keys(names, ["counting", "edges"], METRICS, (0, 1)))
    assert planned - {row.key for row in rows} == {
        Key("2.png", name, "overlap", seed) for name in ("counting", "edges") for seed in (0, 1)
    }
    assert run.store.inapplicable() == [("2.png", "overlap")]
    assert len(rows) == 2 * 2 * (3 + 3 + 2)
    assert {row.chance for row in rows if row.metric == "overlap"} == {0.25}
    assert {(row.forwards, row.backwards) for row in rows if row.explainer == "counting"} == {
        (1, 0)
    }


def test_scores_are_those_of_a_plain_loop(run, net, items, images, targets, context):
    run({"edges": Edges()}, metrics={"deletion": DeletionAUC()}, seeds=(0,))
    case = Case(net, images, torch.arange(3), context)
    expected = DeletionAUC().score(case, case.ask(Edges()))
    scores = [row.value for row in run.store.rows()]
    assert scores == pytest.approx(expected.tolist())


def test_progress_counts_attributions_up_to_the_total(run):
    progress = run({"counting": Counting()})
    assert [step.done for step in progress] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in progress} == {6}
    assert progress[0].image == "0.png"


def test_a_stopped_run_goes_on_where_it_stopped(run):
    first, second = Counting(), Counting()
    run({"counting": first}, stop_after=4)
    kept = run.store.rows()
    progress = run({"counting": second})
    assert (first.calls, second.calls) == (4, 2)
    assert progress[-1].done == progress[-1].total == 2
    assert [row for row in run.store.rows() if row in kept] == kept


def test_a_finished_run_asks_for_nothing_again(run):
    run({"counting": Counting()})
    idle = Counting()
    assert run({"counting": idle}) == []
    assert idle.calls == 0


def test_a_new_metric_seed_or_explainer_computes_only_its_own(run):
    run({"counting": Counting()}, metrics={"gini": Gini()}, seeds=(0,))
    old = run.store.rows()
    again, new = Counting(), Counting()
    run({"counting": again, "new": new}, metrics=METRICS, seeds=(0,))
    assert (again.calls, new.calls) == (3, 3)
    assert [row for row in run.store.rows() if row in old] == old


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"explainers": {"counting": Counting(seconds=1.0)}}, "explainer 'counting'"),
        ({"metrics": {"overlap": RelevanceMass("cause")}}, "metric 'overlap'"),
        ({"model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 3))}, "model"),
    ],
)
def test_results_of_other_settings_are_never_mixed_in(run, changes, name):
    run({"counting": Counting()})
    before = without_times(run.store.rows())
    with pytest.raises(ValueError, match=f"{name} was .*, now it is .*; use the former"):
        run(**{"explainers": {"counting": Counting()}} | changes)
    assert without_times(run.store.rows()) == before


def test_a_changed_image_under_its_old_id_is_refused(run, items):
    run({"edges": Edges()})
    items[1] = replace(items[1], image=items[1].image.flip(0))
    with pytest.raises(ValueError, match=r"image '1\.png' was sha256:"):
        run({"edges": Edges()})


def test_two_images_of_one_id_are_refused(run, items):
    items[1] = replace(items[1], id="0.png")
    with pytest.raises(ValueError, match=r"two images have the id '0\.png'"):
        run({"edges": Edges()})


def test_an_unsupported_method_keeps_its_rows_with_the_reason(run):
    run({"gradcam": GradCam()}, model=lambda images: images.mean((2, 3)))
    rows = run.store.rows()
    assert {row.status for row in rows} == {"unsupported"}
    assert all(row.value != row.value for row in rows)
    assert "torch.nn.Module" in rows[0].reason


def test_random_control_overlaps_cells_by_chance(net, run, images):
    cells = torch.zeros(16, 16, dtype=torch.bool)
    cells[:4] = True
    many = [Item(str(i), torch.rand(3, 16, 16), 0, {"cells": cells}) for i in range(30)]
    run({"random": RandomAttribution()}, metrics={"overlap": RelevanceMass()}, items=many)
    scores = [row.value for row in run.store.rows()]
    assert sum(scores) / len(scores) == pytest.approx(0.25, abs=0.02)
