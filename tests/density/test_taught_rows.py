import pytest
import torch

from cellxai.density.taught_rows import draw_places, draw_taught, hold_rows
from cellxai.density.views import Penultimate, Places
from cellxai.trained.rows import HeldRows


def test_few_images_are_all_taught_and_of_many_some_at_random(monkeypatch):
    rows = HeldRows({"v": torch.zeros(50, 4), "p": torch.zeros(50, 9, 9, 7)})
    assert draw_taught(rows, 0).tolist() == list(range(50))
    monkeypatch.setattr("cellxai.density.taught_rows.HELD_NUMBERS", 48)  # places do not count
    taught = draw_taught(rows, 0)
    assert len(taught) == len(taught.unique()) == 12
    assert (taught.diff() > 0).all()
    assert not torch.equal(taught, draw_taught(rows, 1))
    assert torch.equal(taught, draw_taught(rows, 0))


def test_places_are_drawn_without_repeats_and_single_rows_are_kept():
    places = torch.arange(2 * 5 * 5).float().reshape(2, 5, 5, 1)
    drawn = draw_places(places, 8, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 8, 1)
    for image in range(2):
        numbers = drawn[image, :, 0].tolist()
        assert len(set(numbers)) == 8
        assert all(25 * image <= number < 25 * (image + 1) for number in numbers)
    rows = torch.rand(2, 3)
    assert draw_places(rows, 1, torch.Generator()) is rows


def test_what_is_held_does_not_grow_with_the_places(monkeypatch):
    monkeypatch.setattr("cellxai.density.taught_rows.MOST_ROWS", 30)
    rows = HeldRows({"v": torch.rand(10, 4), "p": torch.rand(10, 9, 9, 2)})
    views = {"v": Penultimate(), "p": Places("x")}
    held = hold_rows(rows, torch.tensor([1, 4, 9]), views, 0)
    assert torch.equal(held["v"], rows.rows["v"][[1, 4, 9]])
    assert held["p"].shape == (3, 20, 2)


def test_the_image_with_a_broken_row_is_named():
    rows = {"v": torch.rand(10, 4)}
    rows["v"][9, 2] = torch.inf
    with pytest.raises(ValueError, match="view 'v' of image 9 is not finite"):
        hold_rows(HeldRows(rows), torch.tensor([1, 9]), {"v": Penultimate()}, 0)
