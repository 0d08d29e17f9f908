from pathlib import Path

import pytest
import torch
from torch import nn

from cellxai.explain import cost
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import Attribution, Explainer
from cellxai.explain.cost import (
    PeakMemory,
    attribute_with_cost,
    frozen,
    modules_of,
    parameters_of,
)
from cellxai.explain.hiding.occlusion import FeatureAblation


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
    attribute_with_cost(looking, mixed, images, targets, context)
    assert (looking.training, looking.trainable) == (False, False)


@pytest.mark.parametrize("explainer", [Saliency(), Failing()])
def test_the_model_is_given_back_as_it_was(explainer, mixed, images, targets, context):
    before = state(mixed)
    try:
        attribute_with_cost(explainer, mixed, images, targets, context)
    except RuntimeError:
        assert isinstance(explainer, Failing)
    assert state(mixed) == before
    assert not mixed._forward_hooks
    assert all(p.grad is None for p in mixed.parameters())


def test_a_plain_function_is_counted_like_a_module(net, images, targets, context):
    def function(batch):
        return net(batch)

    for explainer in (Saliency(), FeatureAblation()):
        by_module = attribute_with_cost(explainer, net, images, targets, context)
        by_function = attribute_with_cost(explainer, function, images, targets, context)
        assert by_function.cost.forwards == by_module.cost.forwards
        assert by_function.cost.backwards == by_module.cost.backwards
        assert torch.equal(by_function.values, by_module.values)


def test_the_clock_covers_every_call_of_the_model(images, targets, context, monkeypatch):
    calls = []

    def model(batch):
        calls.append(len(batch))
        return batch.mean((2, 3))

    monkeypatch.setattr(cost, "clock_of", lambda device: 10.0 + len(calls))  # a second per call
    seconds = attribute_with_cost(FeatureAblation(), model, images, targets, context).cost.seconds
    assert seconds == len(calls) > 0


def test_freezing_a_function_changes_nothing_that_it_calls(mixed, images):
    before = state(mixed)

    def function(batch):
        assert state(mixed) == before
        return mixed(batch)

    with frozen(function):
        scores = function(images)
    assert scores.requires_grad  # of the parameters, which stay trainable
    assert state(mixed) == before


def test_the_largest_batch_and_the_precision_are_told(net, images, targets, context):
    single = attribute_with_cost(FeatureAblation(), net, images, targets, context).cost
    assert (single.batch_size, single.dtype) == (4, "float32")
    double = attribute_with_cost(Saliency(), net.double(), images.double(), targets, context).cost
    assert (double.batch_size, double.dtype) == (3, "float64")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells")
def test_peak_memory_counts_what_was_taken_since_and_given_back():
    memory = PeakMemory(torch.device("cpu"))
    torch.ones(30_000_000).sum()
    assert 110e6 < memory.bytes() < 200e6
    later = PeakMemory(torch.device("cpu"))
    assert later.bytes() < 60e6


@pytest.mark.parametrize("explainer", [Saliency(), GradCam()], ids=lambda e: type(e).__name__)
def test_a_network_that_torch_cannot_differentiate_is_unsupported_in_one_line(
    explainer, images, targets, context
):
    class Overwriting(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 3, 3)

        def forward(self, x):
            y = self.convolution(x).relu_()
            y.mul_(y.mean((2, 3), keepdim=True).sigmoid())  # relu needs what it answered
            return y.mean((2, 3))

    attribution = attribute_with_cost(explainer, Overwriting(), images, targets, context)
    assert attribution.status == "unsupported"
    assert "writes in place over what its gradient needs" in attribution.reason


@pytest.mark.parametrize("scripted", [False, True])
def test_every_module_and_parameter_is_found_once_as_torch_finds_them(scripted):
    shared = nn.Linear(3, 3)
    inside = nn.Sequential(nn.BatchNorm1d(3), shared)
    model = nn.Sequential(shared, inside, nn.Sequential(nn.ReLU(), inside, nn.Identity()))
    model.register_module("absent", None)
    if scripted:
        model = nn.Sequential(torch.jit.script(nn.Sequential(inside, shared)), shared)
    modules = modules_of(model)
    assert len(modules) == len({*map(id, modules)}) == len(list(model.modules()))
    assert {type(m) for m in modules} == {type(m) for m in model.modules()}
    found = parameters_of(modules)
    expected = list(model.parameters())
    assert sorted(p.data_ptr() for p in found) == sorted(p.data_ptr() for p in expected)
