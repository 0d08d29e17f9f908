"""The dry run counts what the run itself then does."""

import pytest
import torch
from torch import nn

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import IntegratedGradients, Saliency
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark import Item, Setup, run_benchmark
from cellxai.explain.benchmark.forecast import Speed, forecast
from cellxai.explain.controls import Edges
from cellxai.explain.lime.lime import Lime
from cellxai.explain.metrics.complexity import Gini
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC
from cellxai.explain.metrics.faithfulness_correlation import FaithfulnessCorrelation
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.localisation import RelevanceMass
from cellxai.explain.metrics.sanity import ParameterRandomisation
from cellxai.explain.metrics.stability import MaxSensitivity, SeedStability
from cellxai.explain.results.store import Store
from cellxai.explain.superpixels.methods import Grid

EXPLAINERS = {
    "lime": Lime(60),
    "saliency": Saliency(),
    "integrated": IntegratedGradients(n_steps=8),
    "edges": Edges(),
}
METRICS = {
    "deletion": DeletionAUC("pixels", 7),
    "correlation": FaithfulnessCorrelation(n_subsets=20),
    "infidelity": Infidelity(n_subsets=20),
    "seeds": SeedStability(n_seeds=3),
    "noises": MaxSensitivity(n_samples=3),
    "randomised": ParameterRandomisation(n_stages=2),
    "gini": Gini(),
}


class Layered(Explainer):
    """Wants a layer that only one network has."""

    def attribute(self, model, images, targets, context):
        model.get_submodule("gate")
        return Attribution(images[:, 0])


def setup(net, explainers=EXPLAINERS, metrics=METRICS, seeds=(0, 1)) -> Setup:
    return Setup(net, explainers, metrics, Grid(8), ConstantBaseline(0.5), seeds)


@pytest.fixture
def item() -> Item:
    drawn = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(5))
    return Item("a", drawn, 1, {"cells": torch.ones(16, 16, dtype=torch.bool)})


def test_the_passes_are_those_that_the_benchmark_makes(net, item, tmp_path):
    actual = forecast(setup(net), item, batch_size=4)
    store = Store(tmp_path / "results.sqlite")
    for _ in run_benchmark(setup(net), [item], store, batch_size=4):
        pass
    answers, rows = store.answers(), store.rows()
    for work in actual.work:
        if work.is_metric:
            own = [row for row in rows if row.metric == work.name]
            passes = [(row.metric_forwards, row.metric_backwards) for row in own]
        else:
            own = [answer for answer in answers if answer.explainer == work.name]
            passes = [(answer.forwards, answer.backwards) for answer in own]
        forwards, backwards = map(sum, zip(*passes, strict=True))
        # LIME's maps of the stand-in share other steps than those of the model, by one or two.
        assert work.forwards == pytest.approx(forwards, abs=2)
        assert work.backwards == backwards
        assert not work.fault


def test_the_model_itself_is_only_timed(net, item):
    asked = []
    net.register_forward_hook(lambda *passed: asked.append(len(passed[2])))
    few = {"lime": Lime(500)}
    forecast(setup(net, few), item, batch_size=4)
    once = sum(asked)
    asked.clear()
    forecast(setup(net, {"lime": Lime(5000)}), item, batch_size=4)
    assert sum(asked) == once < 500


def test_a_plain_function_is_counted_as_one(item):
    actual = forecast(setup(lambda images: images.mean((2, 3)), {"gradcam": GradCam()}), item, 4)
    assert actual.work[0].forwards == 0  # it is unsupported


def test_what_cannot_be_counted_is_said(net, item):
    metrics = {"in cause": RelevanceMass("cause"), "in cells": RelevanceMass("cells")}
    actual = forecast(setup(net, {"layered": Layered(), "edges": Edges()}, metrics), item, 4)
    faults = {work.name: work.fault for work in actual.work}
    assert faults["layered"].startswith("AttributeError: ")
    assert faults["in cause"] == "needs a truth that the first image lacks"
    assert faults["in cells"] == faults["edges"] == ""


def test_neither_the_model_nor_the_random_numbers_change(item):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    forecast(setup(net, {"saliency": Saliency()}, {"insertion": InsertionAUC()}), item, 4)
    assert torch.random.get_rng_state().equal(before)
    assert net.training
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_the_time_of_passes_is_that_of_their_batches():
    speed = Speed(batch_size=10, single=2.0, batch=11.0, backward=3.0)  # a call 1 s, an image 1 s
    assert speed.seconds(1, 0, 1) == pytest.approx(2.0)
    assert speed.seconds(10, 0, 10) == pytest.approx(11.0)
    assert speed.seconds(25, 0, 10) == pytest.approx(3 + 25)
    assert speed.seconds(4, 2, 1) == pytest.approx(4 * 2 + 2 * 3)
    assert speed.seconds(0, 0, 0) == 0
