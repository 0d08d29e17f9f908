import inspect
import pkgutil
from importlib import import_module

import pytest
import torch

from cellxai.explain import metrics
from cellxai.explain.base import Attribution, Case, Explainer, unsupported_attribution
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.base import (
    Criterion,
    Density,
    ExplainerMetric,
    Metric,
    ModelSource,
    applies,
    chance_level,
    is_degenerate,
)
from cellxai.explain.metrics.complexity import EffectiveArea, Entropy, Gini
from cellxai.explain.metrics.faithfulness import (
    DeletionAUC,
    FamiliarityDrop,
    InsertionAUC,
    Irof,
)
from cellxai.explain.metrics.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    SensitivityN,
    SinglePartEffect,
)
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.localisation import (
    PointingGame,
    RankAccuracy,
    RegionAuc,
    RelevanceMass,
    TopKIou,
)
from cellxai.explain.metrics.monotonicity import Monotonicity
from cellxai.explain.metrics.road import Road
from cellxai.explain.metrics.sanity import (
    EfficientRandomisation,
    LabelRandomisation,
    ParameterRandomisation,
    RandomLogit,
)
from cellxai.explain.metrics.stability import (
    AverageSensitivity,
    LocalLipschitz,
    MaxSensitivity,
    RelativeInputStability,
    SeedStability,
    SegmentationStability,
)
from cellxai.explain.metrics.sufficiency import Sufficiency
from cellxai.explain.metrics.truth import RemovalCorrelation, ShortcutContrast
from cellxai.explain.superpixels.methods import Grid


class Brightness(Density):
    def log_density(self, images):
        return images.mean((1, 2, 3))


class Twice(ModelSource):
    """A model whose logits are twice as large."""

    def __init__(self, model=None):
        self.model = model

    def load(self, device):
        return lambda images: 2 * self.model(images)


class Blue(Explainer):
    """The blue plane times the target's logit, and a little of the seed."""

    def attribute(self, model, images, targets, context):
        logits = model(images).detach().gather(1, targets[:, None])
        return Attribution((images[:, 2] - 0.5) * logits[..., None] + 0.01 * context.seed)


OF_MAPS = [
    DeletionAUC(), DeletionAUC("pixels", 5), InsertionAUC(), InsertionAUC("pixels", 5), Irof(),
    FamiliarityDrop(Brightness()), FaithfulnessCorrelation(), FaithfulnessEstimate(),
    SinglePartEffect(), SensitivityN(), Infidelity(), Road(), RelevanceMass(), RankAccuracy(),
    PointingGame(), TopKIou(), RegionAuc(), Gini(), Entropy(), EffectiveArea(),
    RemovalCorrelation(), Monotonicity(), Monotonicity("pixels", 5),
]  # fmt: skip
OF_EXPLAINERS = [
    MaxSensitivity(n_samples=2), SeedStability(), SegmentationStability(Grid(5)),
    ParameterRandomisation(n_stages=2), EfficientRandomisation(),
    LabelRandomisation(Twice()), ShortcutContrast(Twice()), RandomLogit(), Sufficiency(),
    AverageSensitivity(n_samples=2), LocalLipschitz(n_samples=2),
    RelativeInputStability(n_samples=2),
]  # fmt: skip


@pytest.fixture(autouse=True)
def second_model(net):
    for metric in OF_EXPLAINERS:
        if isinstance(getattr(metric, "other", None), Twice):
            metric.other.model = net


@pytest.fixture
def truth():
    cells = torch.zeros(3, 16, 16, dtype=torch.bool)
    cells[:, 2:6, 3:9] = True
    generator = torch.Generator().manual_seed(0)
    parts = torch.rand(3, 4, 16, 16, generator=generator) < 0.2
    effects = torch.randn(3, 4, generator=generator)
    return {"cells": cells, "cue": cells, "parts": parts, "effects": effects}


@pytest.fixture
def case(net, images, targets, context, truth):
    return Case(net, images, targets, context, truth)


def score(metric, case, attribution):
    explainer = (Blue(),) if isinstance(metric, ExplainerMetric) else ()
    return metric.score(*explainer, case, attribution)


def test_every_metric_there_is_is_tested_here():
    modules = [
        import_module(f"{metrics.__name__}.{m.name}")
        for m in pkgutil.iter_modules(metrics.__path__)
    ]
    actual = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Criterion) and not inspect.isabstract(kind) and hasattr(kind, "name")
    }
    assert actual == {type(metric) for metric in [*OF_MAPS, *OF_EXPLAINERS]}


@pytest.mark.parametrize("metric", [*OF_MAPS, *OF_EXPLAINERS], ids=lambda m: m.name)
def test_every_metric_states_what_a_table_needs(metric):
    assert metric.direction in ("higher", "lower")
    assert metric.family != "other"
    assert metric.range[0] < metric.range[1]
    assert metric.paper


def test_maps_that_rank_nothing_are_degenerate():
    maps = torch.rand(5, 4, 4)
    maps[0], maps[1] = 0.0, -3.5
    maps[2, 1, 1], maps[3, 0, 0] = torch.nan, torch.inf
    assert is_degenerate(maps).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize("metric", [*OF_MAPS, *OF_EXPLAINERS], ids=lambda m: m.name)
def test_a_degenerate_map_scores_nan_and_its_neighbour_as_if_alone(metric, case):
    values = case.ask(Blue()).values
    expected = score(metric, case, Attribution(values))
    assert not expected.isnan().any()
    broken = values.clone()
    broken[0], broken[2, 3, 3] = 0.0, torch.nan
    scores = score(metric, case, Attribution(broken))
    assert scores.isnan().tolist() == [True, False, True]
    torch.testing.assert_close(scores[1], expected[1])


@pytest.mark.parametrize("metric", [*OF_MAPS, *OF_EXPLAINERS], ids=lambda m: m.name)
def test_nothing_but_degenerate_maps_never_asks_the_model(metric, case):
    def model(images):
        raise AssertionError("asked")

    attribution = unsupported_attribution(case.images, "no reason")
    assert score(metric, case.with_model(model), attribution).isnan().all()


@pytest.mark.parametrize("metric", OF_MAPS, ids=lambda m: m.name)
def test_scores_stay_in_the_stated_range(metric, case):
    for seed in range(3):
        values = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(seed))
        scores = score(metric, case, Attribution(values))
        low, high = metric.range
        assert ((scores >= low) & (scores <= high)).all()
        assert scores.dtype == case.images.dtype


@pytest.mark.parametrize("metric", OF_EXPLAINERS, ids=lambda m: m.name)
def test_judging_an_explainer_stays_in_the_stated_range(metric, case):
    scores = score(metric, case, case.ask(Blue()))
    low, high = metric.range
    assert ((scores >= low - 1e-6) & (scores <= high + 1e-6)).all()


def test_a_metric_of_a_users_own_needs_one_method(net, images, targets, context):
    class Peak(Metric):
        name, direction, range, paper = "peak", "higher", (0.0, 1.0), "mine"

        def measure(self, case, attribution):
            return attribution.values.amax((1, 2))

    scores = Peak().score(Case(net, images, targets, context), Attribution(images[:, 0]))
    assert torch.equal(scores, images[:, 0].amax((1, 2)))
    assert chance_level(Peak(), {}) is None
    assert applies(Peak(), {})
    assert Peak().family == "other"


def test_a_similarity_is_symmetric_about_degenerate_maps(images, context, values):
    known, nothing = Attribution(values), Attribution(torch.zeros_like(values))
    for pair in ((known, nothing), (nothing, known)):
        assert RankCorrelation().between(*pair, context).isnan().all()
