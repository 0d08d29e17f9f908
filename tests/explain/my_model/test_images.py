"""Images of NumPy, Pillow and torch, in all layouts."""

import numpy as np
import pytest
import torch
from PIL import Image

from cellxai.explain.my_model.images import read_images

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (12, 10, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
EXPECTED = torch.from_numpy(COLOUR.transpose(2, 0, 1).astype(np.float32)) / 255


@pytest.mark.parametrize(
    "image",
    [
        COLOUR,
        COLOUR.transpose(2, 0, 1),
        COLOUR.astype(np.float32) / np.float32(255),
        torch.from_numpy(COLOUR),
        EXPECTED.clone(),
        Image.fromarray(COLOUR),
        [COLOUR],
        COLOUR[None],
        EXPECTED[None],
        COLOUR[::-1][::-1],
    ],
    ids=[
        "hwc",
        "chw",
        "floats",
        "torch hwc",
        "torch chw",
        "pillow",
        "list",
        "nhwc",
        "nchw",
        "view",
    ],
)
def test_one_image_is_the_same_however_it_is_given(image):
    (read,) = read_images(image)
    assert torch.equal(read, EXPECTED)


@pytest.mark.parametrize("image", [GREY, torch.from_numpy(GREY), Image.fromarray(GREY), GREY[None]])
def test_a_grey_image_has_one_plane(image):
    (read,) = read_images(image)
    assert torch.equal(read, EXPECTED[:1])


def test_images_of_other_sizes_and_kinds_stand_in_one_list():
    read = read_images([COLOUR, Image.fromarray(GREY), np.zeros((4, 5, 7, 2))])
    assert [tuple(image.shape) for image in read] == [(3, 12, 10), (1, 12, 10), *[(2, 5, 7)] * 4]


def test_float64_stays_and_half_precision_becomes_float32():
    kinds = [torch.zeros(3, 8, 8, dtype=kind) for kind in (torch.float64, torch.float16)]
    assert [image.dtype for image in read_images(kinds)] == [torch.float64, torch.float32]


def test_normalised_images_are_scaled_from_their_bounds():
    planes = EXPECTED * torch.tensor([4.0, 2.0, 1.0])[:, None, None] - 2
    (read,) = read_images(planes, bounds=(-2, (2, 0, -1)))
    assert torch.allclose(read, EXPECTED, atol=1e-6)


def test_the_images_of_the_caller_are_neither_shared_nor_changed():
    image = EXPECTED.clone().requires_grad_()
    (read,) = read_images(image)
    assert not read.requires_grad
    read.zero_()
    assert torch.equal(image.detach(), EXPECTED)


@pytest.mark.parametrize(
    ("image", "bounds", "words"),
    [
        (COLOUR.astype(float), None, r"images\[0\] goes from .* to 255.*divide it by 255"),
        (EXPECTED * 4 - 2, None, r"goes from -2 to .*mean= and std=.*bounds="),
        (EXPECTED * 4 - 2, (-1, 1), r"leaves bounds=\(-1, 1\)"),
        (EXPECTED, (0, (1, 1)), "bounds has 2 numbers and the images 3 planes"),
        (COLOUR.astype(np.uint16), None, "holds uint16.*image / 65535"),
        (COLOUR.astype(np.int64), None, "holds int64"),
        (COLOUR > 3, None, "holds bool"),
        (np.zeros((2, 3, 4, 5, 6)), None, r"images\[0\] has shape \[2, 3, 4, 5, 6\]"),
        (np.zeros(5), None, r"has shape \[5\]"),
        (np.zeros((0, 5)), None, r"has shape \[1, 0, 5\]"),
        ([], None, "images is empty"),
        (Image.new("RGBA", (4, 4)), None, "mode RGBA.*convert"),
        (Image.new("I;16", (4, 4)), None, "mode I;16"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(image, bounds, words):
    with pytest.raises(ValueError, match=words) as error:
        read_images(image, bounds)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image", ["cell.png", None, object()])
def test_a_path_is_told_how_to_be_opened(image):
    with pytest.raises(TypeError, match=r"PIL.Image.open"):
        read_images([EXPECTED, image])
