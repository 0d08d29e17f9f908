import pytest
import torch

from cellxai.explain.base import context_of
from cellxai.explain.baselines import ConstantBaseline
from cellxai.explain.superpixels.instances import FromMasks, connected_instances, known_instances
from cellxai.explain.superpixels.methods import Grid, Slic


@pytest.fixture
def cells() -> torch.Tensor:
    """Two cells in the first image, a large one in the second, none in the third."""
    instances = torch.zeros(3, 16, 16, dtype=torch.long)
    instances[0, 2:6, 2:9], instances[0, 9:13, 8:15] = 7, 3
    instances[1, :, :15] = 1
    return instances


def test_each_cell_is_one_superpixel_and_the_background_is_cut(images, cells):
    labels = FromMasks(Grid(size_px=8)).segment(images, cells)
    for number, size in ((7, 28), (3, 28)):
        (own,) = labels[0][cells[0] == number].unique().tolist()
        assert (labels[0] == own).sum() == size
    assert len(labels[0].unique()) == 2 + 4
    assert torch.equal(labels[2], Grid(size_px=8).segment(images)[2])
    for image in labels:
        assert image.unique().tolist() == list(range(int(image.max()) + 1))


def test_slivers_of_background_are_joined(images, cells):
    labels = FromMasks(Grid(size_px=8), min_background_px=16).segment(images, cells)
    assert len(labels[1].unique()) == 2  # the column beside the cell is two slivers of 8 pixels
    apart = FromMasks(Grid(size_px=8), min_background_px=1).segment(images, cells)
    assert len(apart[1].unique()) == 3


def test_the_background_may_be_cut_by_its_colours(images, cells):
    labels = FromMasks(Slic(n_segments=9)).segment(images, cells)
    assert len(labels[0].unique()) > 4


def test_a_context_hands_the_masks_on(images, cells):
    context = context_of(images, FromMasks(), ConstantBaseline(), instances=cells)
    assert torch.equal(context.superpixels, FromMasks().segment(images, cells))


def test_without_masks_it_says_what_to_pass(images):
    with pytest.raises(ValueError, match=r"needs masks .* got instances=None; pass instances"):
        FromMasks().segment(images)


def test_connected_parts_of_a_mask_are_numbered():
    mask = torch.tensor([[[1, 0, 1], [1, 0, 0], [0, 0, 1]]]).bool()
    assert connected_instances(mask).tolist() == [[[1, 0, 2], [1, 0, 0], [0, 0, 3]]]


def test_cells_are_instances_only_where_they_are_known():
    mask = torch.tensor([[1, 0, 1], [1, 0, 0]]).bool()
    assert known_instances({"cells": mask}).tolist() == [[[1, 0, 2], [1, 0, 0]]]
    assert known_instances({"cause": mask}) is None
