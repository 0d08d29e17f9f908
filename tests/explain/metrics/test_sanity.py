import copy

import pytest
import torch
from torch import nn

from cellxai.explain.backward.gradients import InputXGradient, Saliency
from cellxai.explain.base import Attribution, Case, Context, Explainer
from cellxai.explain.controls import Edges
from cellxai.explain.metrics.agreement import RankCorrelation
from cellxai.explain.metrics.base import ModelSource
from cellxai.explain.metrics.sanity import (
    EfficientRandomisation,
    LabelRandomisation,
    ParameterRandomisation,
    RandomLogit,
    histogram_entropy,
    own_parameters,
    random_copies,
)
from cellxai.explain.score import LogDensity, ModelWrapper, Probability, Scored


class Other(ModelSource):
    def __init__(self, model):
        self.model = model

    def load(self, device):
        return self.model


def about(explainer, net, images, targets, context):
    case = Case(net, images, targets, context)
    return explainer, case, case.ask(explainer)


def changed_layers(model, original):
    """Names of the layers whose own parameters differ."""
    return {
        name
        for name, layer in model.named_modules()
        for mine, its in zip(
            own_parameters(layer), own_parameters(original.get_submodule(name)), strict=True
        )
        if not torch.equal(mine, its)
    }


def test_cascading_goes_down_from_the_output_and_independent_takes_one_at_a_time(net):
    layers = ["7", "5", "2", "0"]  # of the fixture, from the output
    cascading = [changed_layers(m, net) for m in random_copies(net, "cascading", 9, seed=0)]
    assert cascading == [set(layers[: i + 1]) for i in range(4)]
    independent = [changed_layers(m, net) for m in random_copies(net, "independent", 9, seed=0)]
    assert independent == [{name} for name in layers]
    halves = [changed_layers(m, net) for m in random_copies(net, "cascading", 2, seed=0)]
    assert halves == [{"7", "5"}, {"7", "5", "2", "0"}]


def test_the_model_itself_stays_as_it_was(net, images, targets, context):
    before = copy.deepcopy(net.state_dict())
    for metric in (ParameterRandomisation(), EfficientRandomisation()):
        metric.score(*about(Saliency(), net, images, targets, context))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_random_weights_have_the_mean_and_spread_of_the_trained_ones():
    layer = nn.Linear(300, 300)
    with torch.no_grad():
        layer.weight.mul_(20).add_(5)
    (random,) = random_copies(layer, "cascading", 1, seed=0)
    assert random.weight.mean().item() == pytest.approx(layer.weight.mean().item(), rel=0.01)
    assert random.weight.std().item() == pytest.approx(layer.weight.std().item(), rel=0.02)
    correlation = torch.corrcoef(torch.stack([random.weight.flatten(), layer.weight.flatten()]))
    assert correlation[0, 1].abs() < 0.02


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_the_score_is_the_mean_similarity_over_stages(net, images, targets, context, order):
    similarity = RankCorrelation("pixels")
    args = about(Saliency(), net, images, targets, context)
    actual = ParameterRandomisation(order, 4, similarity, seed=5).score(*args)
    slow = []
    for model in random_copies(net, order, 4, seed=5):
        again = Saliency().attribute(model, images, targets, context)
        slow.append(similarity.between(args[2], again, context))
    torch.testing.assert_close(actual, torch.stack(slow).mean(0))


def test_what_knows_nothing_of_the_model_fails(net, images, targets, context):
    args = about(Edges(), net, images, targets, context)
    torch.testing.assert_close(ParameterRandomisation().score(*args), torch.ones(3))
    torch.testing.assert_close(LabelRandomisation(Other(net)).score(*args), torch.ones(3))
    assert EfficientRandomisation().score(*args).tolist() == [0, 0, 0]


def test_a_stage_without_a_map_resembles_nothing(net, images, targets, context):
    class FirstAlone(Explainer):
        def attribute(self, model, images, targets, context):
            return Attribution(images[:, 0] * float(model is net))

    args = about(FirstAlone(), net, images, targets, context)
    assert ParameterRandomisation(n_stages=2).score(*args).tolist() == [0, 0, 0]
    assert EfficientRandomisation().score(*args).isnan().all()
    assert LabelRandomisation(Other(copy.deepcopy(net))).score(*args).isnan().all()


def test_a_function_has_no_weights_to_randomise(net, images, targets, context):
    args = about(Edges(), lambda batch: net(batch), images, targets, context)
    assert ParameterRandomisation().score(*args).isnan().all()
    assert EfficientRandomisation().score(*args).isnan().all()


def test_the_map_of_another_model_is_compared(net, images, targets, context):
    (other,) = random_copies(net, "cascading", 1, seed=1)
    args = about(Saliency(), net, images, targets, context)
    actual = LabelRandomisation(Other(other)).score(*args)
    again = Saliency().attribute(other, images, targets, context)
    assert torch.equal(actual, RankCorrelation().between(args[2], again, context))


def test_the_other_model_is_explained_by_the_score_that_is_explained(net, images, targets, context):
    (other,) = random_copies(net, "cascading", 1, seed=1)
    args = about(Saliency(), Scored(net, Probability()), images, targets, context)
    actual = LabelRandomisation(Other(other)).score(*args)
    again = Saliency().attribute(Scored(other, Probability()), images, targets, context)
    assert torch.equal(actual, RankCorrelation().between(args[2], again, context))


def test_a_density_of_features_says_nothing_of_another_network(net, images, targets, context):
    density = Scored(net, LogDensity(lambda features: -features.square().sum(1)))
    args = about(Saliency(), density, images, torch.zeros_like(targets), context)
    with pytest.raises(ValueError, match="a log-density is of one model's features"):
        LabelRandomisation(Other(net)).score(*args)


class EarlyStop(ModelWrapper):
    """Answers with the features before the last layer."""

    def forward(self, images):
        return self.model[:-1](images)


def test_only_layers_that_a_score_asks_are_random_copies(net, images):
    early = Scored(EarlyStop(net), LogDensity(lambda features: -features.square().sum(1)))
    stages = [
        changed_layers(copied.model.model, net)
        for copied in random_copies(early, "cascading", 9, 0, images[:1])
    ]
    assert stages == [{"5"}, {"5", "2"}, {"5", "2", "0"}]


def test_a_score_has_the_random_weights_of_its_network(net, images):
    plain = random_copies(net, "cascading", 4, 0)
    scored = random_copies(Scored(net, Probability()), "cascading", 4, 0, images[:1])
    for copied, scored_copy in zip(plain, scored, strict=True):
        torch.testing.assert_close(scored_copy(images), copied(images).softmax(1))


def test_the_entropy_of_a_histogram_is_that_of_quantus(quantus):
    actual = histogram_entropy(quantus.attribution.values, 100)
    assert actual.tolist() == pytest.approx(quantus.said["histogram entropy"], abs=1e-4)


def test_the_efficient_test_is_the_relative_rise_in_entropy(net, images, targets, context):
    class Noise(Explainer):
        """Two levels for the trained model, 256 for any other."""

        def attribute(self, model, images, targets, context):
            ramp = torch.arange(256.0).view(1, 16, 16).expand(len(images), -1, -1)
            return Attribution((ramp >= 128).float() if model is net else ramp)

    actual = EfficientRandomisation(n_bins=256).score(
        *about(Noise(), net, images, targets, context)
    )
    torch.testing.assert_close(actual, torch.full((3,), (8.0 - 1.0) / 1.0))


def test_no_stage_is_an_error():
    with pytest.raises(ValueError, match="n_stages=0"):
        ParameterRandomisation(n_stages=0)


def test_the_other_logit_is_another_class_and_the_same_in_any_batch(net, images, targets, context):
    asked = []

    class Recording(Explainer):
        def attribute(self, model, images, targets, context):
            asked.append(targets)
            return Attribution(images[:, 0] * (1 + targets[:, None, None]))

    metric, case = RandomLogit(), Case(net, images, targets, context)
    once = Attribution(images[:, 0])
    torch.testing.assert_close(metric.score(Recording(), case, once), torch.ones(3))
    (others,) = asked
    assert (others != targets).all()
    assert ((others >= 0) & (others < 3)).all()
    alone = Case(net, images[1:2], targets[1:2], Context(
        context.superpixels[1:2], context.baseline[1:2]
    ))  # fmt: skip
    metric.score(Recording(), alone, Attribution(images[1:2, 0]))
    assert asked[1] == others[1]


def test_every_other_class_is_drawn_about_as_often(net, context, images):
    many = torch.rand(300, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    targets, seen = torch.ones(300, dtype=torch.long), []

    class Recording(Explainer):
        def attribute(self, model, images, targets, context):
            seen.append(targets)
            return Attribution(images[:, 0])

    place = Context(torch.arange(4).view(1, 2, 2).expand(300, 2, 2), torch.zeros_like(many))
    case = Case(lambda x: x.new_zeros(len(x), 4), many, targets, place)
    RandomLogit().score(Recording(), case, Attribution(many[:, 0]))
    counts = seen[0].bincount(minlength=4)
    assert counts[1] == 0
    assert (counts[[0, 2, 3]] > 70).all()  # 100 expected, 8 of deviation


def test_two_logits_of_a_margin_have_opposite_maps(images, context):
    class Two(nn.Module):
        def forward(self, x):
            score = (x.flatten(1) * torch.linspace(-1, 1, 768)).sum(1, keepdim=True)
            return torch.cat([score, -score], 1)

    targets = torch.zeros(3, dtype=torch.long)
    case, explainer = Case(Two(), images, targets, context), InputXGradient()
    actual = RandomLogit(RankCorrelation("pixels")).score(explainer, case, case.ask(explainer))
    torch.testing.assert_close(actual, -torch.ones(3))


def test_one_score_has_no_other(net, images, context):
    targets = torch.zeros(3, dtype=torch.long)
    case = Case(lambda x: net(x)[:, :1], images, targets, context)
    assert RandomLogit().score(Edges(), case, Attribution(images[:, 0])).isnan().all()
