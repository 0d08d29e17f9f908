"""The true effects of structures of stained cells."""

import numpy as np
import pytest
import torch

from cellxai.adapters.stain_removal import known_stain_truth, prepare_planes
from cellxai.data.synthetic.fluorescence import StainSettings, compose_stains, render_stains


class AsStored:
    """Transforms that leave the size as it is, and divide 12 bits to 8."""

    image_size, planes = (64, 64), "rgb"

    def prepare(self, image):
        return (image // 16).astype(np.uint8)

    def prepare_mask(self, mask):
        return mask


@pytest.fixture(scope="module")
def scene():
    settings = StainSettings(64, 64, ("nucleus", "granules"), "granules", 1.5)
    return compose_stains(0, 0, settings)


def reads_granules(images):
    return torch.stack([images[:, 1].sum((1, 2)), -images[:, 1].sum((1, 2))], 1)


def test_only_structures_of_the_plane_that_is_read_have_an_effect(scene):
    truth = known_stain_truth(scene, AsStored(), reads_granules, 0, "parts", at_most=50)
    planes, effects = truth["part_planes"], truth["effects"]
    assert {*planes.tolist()} == {0, 1}
    assert (effects[planes == 0] == 0).all()
    assert (effects[planes == 1] > 0).all()
    assert truth["parts"].flatten(1).any(1).all()


def test_an_effect_is_the_fall_of_the_score_without_the_structure(scene):
    truth = known_stain_truth(scene, AsStored(), reads_granules, 1, "parts", at_most=50)
    part = next(part for part in scene.parts if part.plane == 1)
    images = [
        prepare_planes(render_stains(kept), AsStored()) for kept in (scene, scene.without(part.id))
    ]
    whole, without = reads_granules(torch.stack(images))[:, 1]
    row = [*truth["part_planes"].tolist()].index(1)
    assert truth["effects"][row] == pytest.approx(float(whole - without))


def test_a_cell_lies_in_all_planes_and_no_more_parts_are_asked_than_wanted(scene):
    truth = known_stain_truth(scene, AsStored(), reads_granules, 0, "cells", at_most=3)
    assert truth["part_planes"].tolist() == [-1, -1, -1]
    assert truth["parts"].shape == (3, 64, 64)
    assert (truth["effects"] > 0).all()
