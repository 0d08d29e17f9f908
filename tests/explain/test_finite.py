import pytest
import torch

from cellxai.explain.finite import finite_images


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_an_image_is_finite_if_each_of_its_numbers_is(dtype):
    images = torch.rand(6, 3, 8, 8).to(dtype)
    images[1, 0, 2, 3], images[2, 1, 0, 0] = torch.nan, torch.inf
    images[3, 2, 7, 7], images[3, 0, 0, 0] = -torch.inf, torch.inf  # their sum is no number
    images[4] = torch.finfo(dtype).max  # whose sum overflows
    expected = images.isfinite().flatten(1).all(1)
    assert finite_images(images).tolist() == expected.tolist()
    assert expected.tolist() == [True, False, False, False, True, True]


def test_whole_numbers_are_finite():
    assert finite_images(torch.ones(2, 4, 4, dtype=torch.uint8)).all()
