import pytest
import torch
from scipy.stats import pearsonr, spearmanr

from cellxai.explain.base import Attribution, Case
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.metrics.correlation import pearson
from cellxai.explain.metrics.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    SensitivityN,
    SinglePartEffect,
)
from cellxai.explain.metrics.probing import subset_effects, subset_evidence

ALL = [FaithfulnessCorrelation(), FaithfulnessEstimate(), SinglePartEffect(), SensitivityN()]


def painted(contributions, quarters):
    return Attribution(contributions[:, quarters].float(), superpixel_values=contributions.float())


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_true_contributions_to_a_linear_model_correlate_by_1(
    metric, linear, images, targets, context, contributions, quarters
):
    case = Case(linear, images, targets, context)
    actual = metric.score(case, painted(contributions, quarters))
    torch.testing.assert_close(actual, torch.ones(3), rtol=0, atol=1e-5)
    opposite = painted(-contributions, quarters)
    actual = metric.score(case, opposite)
    torch.testing.assert_close(actual, -torch.ones(3), rtol=0, atol=1e-5)


def test_correlation_over_given_subsets_is_that_of_quantus(quantus):
    q = quantus
    hidden = torch.zeros(2, q.subsets.shape[1], 64, dtype=torch.bool).scatter_(2, q.subsets, True)
    labels = q.context.superpixels
    effects = subset_effects(q.case, q.context.baseline, labels, hidden)
    evidence = subset_evidence(q.attribution.values.flatten(1).double(), hidden)
    said = q.said["faithfulness correlation"]
    assert pearson(evidence, effects).tolist() == pytest.approx(said, abs=1e-4)


def test_the_estimate_is_that_of_quantus(quantus):
    q = quantus
    actual = FaithfulnessEstimate().score(q.case, q.attribution)
    assert actual.tolist() == pytest.approx(q.said["faithfulness estimate"], abs=1e-4)


def test_parts_hidden_alone_equal_a_slow_loop(net, images, targets, context, values, quarters):
    for i, target in enumerate(targets.tolist()):
        effects = []
        for part in range(4):
            changed = images[i].clone()
            changed[:, quarters == part] = 0.2
            effects.append((net(images[i : i + 1]) - net(changed[None]))[0, target].item())
        sums = [values[i][quarters == part].sum().item() for part in range(4)]
        about = Case(net, images, targets, context), Attribution(values)
        grey = ConstantBaseline(0.2)
        assert FaithfulnessEstimate(grey).score(*about)[i].item() == pytest.approx(
            pearsonr(sums, effects).statistic, abs=1e-4
        )
        assert SinglePartEffect(grey).score(*about)[i].item() == pytest.approx(
            spearmanr(sums, effects).statistic, abs=1e-6
        )


def test_sensitivity_n_is_the_mean_over_subset_sizes(net, images, targets, context, values):
    about = Case(net, images, targets, context), Attribution(values)
    actual = SensitivityN((0.25, 0.5), n_subsets=30, granularity="pixels", seed=3).score(*about)
    sizes = [FaithfulnessCorrelation(s, 30, "pixels", seed=3).score(*about) for s in (0.25, 0.5)]
    torch.testing.assert_close(actual, (sizes[0] + sizes[1]) / 2)


def test_a_model_that_never_changes_its_score_judges_nobody(images, targets, context, values):
    def model(batch):
        return torch.ones(len(batch), 3)

    case = Case(model, images, targets, context)
    for metric in ALL:
        assert metric.score(case, Attribution(values)).isnan().all()


def test_maps_that_know_nothing_correlate_by_0_on_average(net, images, targets, context):
    noise = torch.randn(60, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    metric = FaithfulnessCorrelation(granularity="pixels", n_subsets=30)
    case = Case(net, images, targets, context)
    scores = [metric.score(case, Attribution(values)) for values in noise]
    assert torch.stack(scores).mean().abs() < 0.05


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_hides_nothing_or_all_is_an_error(share):
    with pytest.raises(ValueError, match=f"share={share}"):
        FaithfulnessCorrelation(share)
