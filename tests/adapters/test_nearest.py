import pytest
import torch

from cellxai.adapters.nearest import NearestInRun
from cellxai.data.readers.sartorius import Sartorius
from cellxai.files.identity import describe_settings
from cellxai.trained.run import load_run


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load_run(tiny_run, "cpu")


def test_an_image_is_replaced_by_the_other_training_image_of_nearest_features(trained):
    _, features = trained.outputs("train")
    distances = torch.cdist(features, features).fill_diagonal_(torch.inf)
    images = torch.cat([trained.pixels("train", index) for index in range(3)])
    filled = NearestInRun(trained.folder.root).fill(images, torch.zeros(3, 64, 64).long())
    expected = [trained.pixels("train", int(distances[i].argmin()))[0] for i in range(3)]
    assert torch.equal(filled, torch.stack(expected))


def test_another_data_set_may_be_the_one_to_choose_from(trained):
    cells = Sartorius(trained.folder.root.parent / "cells")
    image = trained.pixels("test", 0)
    filled = NearestInRun(trained.folder.root, cells).fill(image, torch.zeros(1, 64, 64).long())
    everything = [trained.images.images(part) for part in trained.parts]
    bank = torch.cat(everything).float() / 255
    assert any(torch.equal(filled[0, :1], one) for one in bank)
    assert not torch.equal(filled, image)


def test_results_are_stored_with_the_run_it_is_of(tiny_run):
    assert str(tiny_run) in describe_settings(NearestInRun(tiny_run))
