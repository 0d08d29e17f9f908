import pytest
import torch
from torch import nn

from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.cost import frozen, measured
from cellxai.explain.gradients import Saliency
from cellxai.explain.occlusion import FeatureAblation


class Failing(Explainer):
    def attribute(self, model, images, targets, context):
        model(images)
        raise RuntimeError("broken on purpose")


class Looking(Explainer):
    """Remembers in which state it found the model."""

    def attribute(self, model, images, targets, context):
        self.training = model.training
        self.trainable = any(p.requires_grad for p in model.parameters())
        return Attribution(images[:, 0])


@pytest.fixture
def mixed(net: nn.Module) -> nn.Module:
    """In training, but for one layer, with one frozen parameter."""
    net.train()
    net[2].eval()
    net[0].weight.requires_grad_(False)
    return net


def state(net):
    return [m.training for m in net.modules()], [p.requires_grad for p in net.parameters()]


def test_the_explainer_sees_a_frozen_model_in_evaluation_mode(mixed, images, targets, context):
    looking = Looking()
    measured(looking, mixed, images, targets, context)
    assert (looking.training, looking.trainable) == (False, False)


@pytest.mark.parametrize("explainer", [Saliency(), Failing()])
def test_the_model_is_given_back_as_it_was(explainer, mixed, images, targets, context):
    before = state(mixed)
    try:
        measured(explainer, mixed, images, targets, context)
    except RuntimeError:
        assert isinstance(explainer, Failing)
    assert state(mixed) == before
    assert not mixed._forward_hooks
    assert all(p.grad is None for p in mixed.parameters())


def test_a_plain_function_is_counted_like_a_module(net, images, targets, context):
    def function(batch):
        return net(batch)

    for explainer in (Saliency(), FeatureAblation()):
        by_module = measured(explainer, net, images, targets, context)
        by_function = measured(explainer, function, images, targets, context)
        assert by_function.cost.forwards == by_module.cost.forwards
        assert by_function.cost.backwards == by_module.cost.backwards
        assert torch.equal(by_function.values, by_module.values)


def test_the_clock_covers_the_model(images, targets, context):
    cost = measured(FeatureAblation(), lambda x: x.mean((2, 3)), images, targets, context).cost
    assert cost.seconds > 0


def test_freezing_a_function_changes_nothing():
    with frozen(lambda images: images.mean((2, 3))):
        pass
