from dataclasses import replace

import pytest
import torch

from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.benchmark.items import Item, make_ready
from cellxai.explain.superpixels.methods import Grid


@pytest.fixture
def item(images) -> Item:
    return Item("a", images[0])


def ready(item, net):
    return make_ready(item, net, Grid(4), ConstantBaseline(0.25), batch_size=8)


def test_an_identity_changes_with_every_pixel_and_the_target_and_with_nothing_else(item):
    brighter = item.image.clone()
    brighter[0, 0, 0] += 1e-6
    others = [replace(item, image=brighter), replace(item, target=0), replace(item, target=1)]
    assert len({item.identity, *(other.identity for other in others)}) == 4
    assert replace(item, id="b", truth={"cells": brighter}).identity == item.identity


def test_the_predicted_class_is_explained_unless_one_is_named(item, net):
    predicted = int(net(item.image[None]).argmax())
    assert ready(item, net).case.targets.tolist() == [predicted]
    named = (predicted + 1) % 3
    assert ready(replace(item, target=named), net).case.targets.tolist() == [named]


def test_a_truth_that_depends_on_the_class_is_asked_for_the_explained_one(item, net):
    asked = []

    def truth(target: int) -> dict[str, torch.Tensor]:
        asked.append(target)
        return {"cells": item.image[0] > 0.5}

    case = ready(replace(item, target=2, truth=truth), net).case
    assert asked == [2]
    assert torch.equal(case.truth["cells"], (item.image[0] > 0.5)[None])
    assert torch.equal(case.context.baseline, torch.full_like(item.image[None], 0.25))
    assert torch.equal(case.context.superpixels, Grid(4).segment(item.image[None]))


def test_another_seed_remembers_answers_and_another_model_has_none(item, net):
    made = ready(item, net)
    assert made.case.context.seed == 0
    assert made.with_seed(3).case.context.seed == 3
    assert made.with_seed(3).remembering is made.remembering
    other = made.with_model(lambda images: images.mean((2, 3)))
    assert other.remembering is not made.remembering
    assert torch.equal(other.case.images, made.case.images)
