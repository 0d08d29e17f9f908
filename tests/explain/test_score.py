import copy

import pytest
import torch

from cellxai.explain.backward.deeplift import DeepLift
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import IntegratedGradients, Saliency
from cellxai.explain.base import Attribution, Case
from cellxai.explain.cost import attribute_with_cost, frozen
from cellxai.explain.hiding.occlusion import FeatureAblation, Occlusion
from cellxai.explain.lime.lime import Lime
from cellxai.explain.metrics.faithfulness import DeletionAUC, InsertionAUC, Irof
from cellxai.explain.metrics.infidelity import Infidelity
from cellxai.explain.metrics.monotonicity import Monotonicity
from cellxai.explain.metrics.road import Road
from cellxai.explain.provenance import identify_model
from cellxai.explain.score import (
    LogDensity,
    Logit,
    LogOdds,
    Probability,
    Scored,
    Sigmoid,
    SigmoidLogOdds,
    decisions,
)

EXPLAINERS = [
    Lime(40), Saliency(), IntegratedGradients(n_steps=8), GradCam(), GradCam("2"),
    Occlusion(8, 8), FeatureAblation(),
]  # fmt: skip


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=lambda e: type(e).__name__)
def test_every_explainer_explains_the_score_and_logits_stay_what_they_were(
    explainer, net, images, targets, context
):
    plain = attribute_with_cost(explainer, net, images, targets, context)
    logit = attribute_with_cost(explainer, Scored(net, Logit()), images, targets, context)
    probability = attribute_with_cost(
        explainer, Scored(net, Probability()), images, targets, context
    )
    assert torch.equal(plain.values, logit.values)
    assert probability.status == plain.status
    assert probability.values.isfinite().all()
    assert not torch.allclose(plain.values, probability.values)
    assert probability.cost.forwards == plain.cost.forwards


def test_ablation_of_a_probability_is_its_fall(net, images, targets, context, quarters):
    scored = Scored(net, Probability())
    values = FeatureAblation().attribute(scored, images, targets, context).superpixel_values
    hidden = torch.where(quarters == 2, context.baseline, images)
    fall = (net(images).softmax(1) - net(hidden).softmax(1))[range(3), targets]
    torch.testing.assert_close(values[:, 2], fall.detach(), rtol=1e-4, atol=1e-6)


def test_log_odds_are_those_of_the_probability(net, images):
    p = Scored(net, Probability())(images).double()
    odds = Scored(net, LogOdds())(images)
    torch.testing.assert_close(odds.double(), (p / (1 - p)).log(), rtol=0, atol=1e-5)


def test_one_logit_competes_with_nothing(net, images, context):
    single = torch.nn.Sequential(net, torch.nn.Linear(3, 1)).eval()
    logit = single(images)
    assert torch.equal(Scored(single, Probability())(images), logit.sigmoid())
    assert torch.equal(Scored(single, LogOdds())(images), logit)
    two = torch.cat([torch.zeros_like(logit), logit], 1)
    torch.testing.assert_close(logit.sigmoid(), two.softmax(1)[:, 1:])
    targets = torch.zeros(3, dtype=torch.long)
    case = Case(single, images, targets, context)
    attribution = DeepLift().attribute(single, images, targets, context)
    for metric in (DeletionAUC(), InsertionAUC(), Irof()):
        score = metric.score(case, attribution)
        assert ((score >= metric.range[0]) & (score <= 1)).all()


def test_a_density_of_features_is_one_score(images, context):
    features = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1),
                                   torch.nn.Flatten())  # fmt: skip
    normal = torch.distributions.Normal(0.0, 1.0)
    density = Scored(features, LogDensity(lambda x: normal.log_prob(x).sum(1)))
    targets = torch.zeros(3, dtype=torch.long)
    assert density(images).shape == (3, 1)
    for explainer in (Lime(40), Saliency(), GradCam()):
        assert explainer.attribute(density, images, targets, context).values.std() > 0


def test_layers_keep_their_names_and_modes_are_given_back(net):
    net.train()
    net[2].eval()
    scored = Scored(net, Probability())
    assert dict(scored.named_modules())["2"] is net[2]
    with frozen(scored):
        assert not any(module.training for module in net.modules())
    assert net.training
    assert not net[2].training


def test_results_of_two_scores_are_told_apart(net):
    scores = [Logit(), Probability(), LogOdds(), LogDensity(torch.sum)]
    assert len({identify_model(Scored(net, score)) for score in scores}) == 4
    again = identify_model(Scored(net, Probability()))
    assert again == identify_model(Scored(net, Probability()))


def test_a_scored_model_can_be_copied(net, images):
    scored = Scored(net, Probability())
    assert torch.equal(copy.deepcopy(scored)(images), scored(images))


def test_a_plain_function_is_scored_too(net, images):
    scored = Scored(lambda x: net(x), Probability())
    torch.testing.assert_close(scored(images).sum(1), torch.ones(3))


def test_independent_labels_are_followed_by_their_sigmoid_and_not_by_the_softmax(
    net, images, targets, context
):
    """Each metric is that of a network with the target's logit alone."""
    logits, odds, p = (Scored(net, score()) for score in (Logit, SigmoidLogOdds, Sigmoid))
    assert torch.equal(odds(images), net(images))
    assert torch.equal(p(images), net(images).sigmoid())
    attribution = DeepLift().attribute(odds, images, targets, context)
    labels = range(len(images))
    for metric in (DeletionAUC(), InsertionAUC(), Irof(), Monotonicity()):
        scores = {
            name: metric.score(Case(model, images, targets, context), attribution)
            for name, model in {"softmax": logits, "odds": odds, "p": p}.items()
        }
        torch.testing.assert_close(scores["odds"], scores["p"])
        for i in labels:
            label = targets[i : i + 1]
            alone = Case(lambda x, k=label: net(x)[:, k], images, 0 * targets, context)
            torch.testing.assert_close(scores["odds"][i], metric.score(alone, attribution)[i])
        if not isinstance(metric, Monotonicity):
            assert not torch.allclose(scores["odds"], scores["softmax"])


def test_infidelity_of_labels_is_in_the_units_that_are_explained(net, images, targets, context):
    attribution = DeepLift().attribute(net, images, targets, context)
    of_logit, of_odds, of_p = (
        Infidelity().score(Case(Scored(net, s), images, targets, context), attribution)
        for s in (Logit(), SigmoidLogOdds(), Sigmoid())
    )
    torch.testing.assert_close(of_logit, of_odds)
    assert (of_p < of_odds / 10).all()  # the sigmoid's slope is 1/4 at most, and squared


def test_a_label_is_predicted_where_it_is_more_likely_than_not():
    outputs = torch.tensor([[-1.0, 3.0], [-1.0, 3.0]])
    targets = torch.tensor([0, 1])
    for score in (SigmoidLogOdds(), Sigmoid()):
        assert decisions(score, score.scores(outputs), targets).tolist() == [-1, 1]
    assert decisions(Logit(), outputs, targets).tolist() == [1, 1]
    for score in (Logit(), Probability(), LogOdds()):  # one logit competes with nothing
        answers = score.scores(torch.tensor([[-1.0], [2.0]]))
        assert decisions(score, answers, torch.zeros_like(targets)).tolist() == [-1, 0]


def test_removal_asks_whether_the_label_survives(net, images, targets, context):
    """ROAD of two labels that both hold, whatever is removed: the softmax knows one winner."""

    def both(x):
        return x.new_tensor([[1.0, 2.0]]).expand(len(x), 2)

    zeros, attribution = torch.zeros_like(targets), Attribution(images[:, 0])
    of_labels, of_classes = (
        Road().score(Case(Scored(both, s), images, zeros, context), attribution)
        for s in (Sigmoid(), Probability())
    )
    assert of_labels.tolist() == [1, 1, 1]
    assert of_classes.tolist() == [0, 0, 0]
