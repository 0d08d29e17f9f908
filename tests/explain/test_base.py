import torch

from cellxai.explain.base import Attribution, Case, Explainer, context_of
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.memory import MOST_PIXELS
from cellxai.explain.superpixels.methods import Grid


def test_large_images_come_in_smaller_batches_and_never_in_none():
    def batch_size(side: int) -> int:
        return context_of(
            torch.rand(1, 3, side, side), Grid(size_px=side), ConstantBaseline(0.0), batch_size=8
        ).batch_size

    assert batch_size(64) == 8
    assert batch_size(896) == MOST_PIXELS["cpu"] // 896**2 == 2
    assert batch_size(1400) == 1


class Echo(Explainer):
    """Says what it was given: the target's score, and a little of baseline and seed."""

    def attribute(self, model, images, targets, context):
        scores = model(images).detach().gather(1, targets[:, None])[..., None]
        return Attribution(scores * (images - context.baseline)[:, 0] + context.seed)


def test_a_case_asks_an_explainer_what_one_would_ask_it_directly(net, images, targets, context):
    case = Case(net, images, targets, context)
    direct = Echo().attribute(net, images, targets, context)
    assert torch.equal(case.ask(Echo()).values, direct.values)
    assert case.truth == {}


def test_a_changed_case_differs_in_one_thing_and_leaves_the_first_alone(
    net, images, targets, context
):
    case = Case(net, images, targets, context, {"cells": images[:, 0] > 0.5})
    before = case.ask(Echo()).values
    seeded = case.with_seed(context.seed + 2)
    torch.testing.assert_close(seeded.ask(Echo()).values, before + 2)
    doubled = case.with_model(lambda batch: 2 * net(batch))
    torch.testing.assert_close(doubled.ask(Echo()).values - 7, 2 * (before - 7))
    grey = case.with_images(context.baseline)
    assert torch.equal(grey.ask(Echo()).values, torch.full_like(before, 7))
    for changed in (seeded, doubled, grey):
        assert changed.targets is case.targets
        assert changed.truth is case.truth
    assert torch.equal(case.ask(Echo()).values, before)


def test_a_repeated_case_gives_every_image_what_it_gets_alone(net, images, targets, context):
    case = Case(net, images, targets, context, {"cells": images[:, 0] > 0.5})
    repeated = case.repeat(2)
    expected = case.ask(Echo()).values[[0, 0, 1, 1, 2, 2]]
    torch.testing.assert_close(repeated.ask(Echo()).values, expected)
    assert torch.equal(repeated.truth["cells"], repeated.images[:, 0] > 0.5)
    assert torch.equal(repeated.context.superpixels, context.superpixels[[0, 0, 1, 1, 2, 2]])
