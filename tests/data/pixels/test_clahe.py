import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.pixels.clahe import equalise_batch, mirror_places
from cellxai.data.pixels.steps import CLAHE_CLIP_LIMIT, CLAHE_TILES, equalise


def by_opencv(images: np.ndarray, clip_limit: float, tiles: tuple[int, int]) -> np.ndarray:
    clahe = cv2.createCLAHE(clip_limit, (tiles[1], tiles[0]))  # columns first
    return np.stack([clahe.apply(image) for image in images])


def scenes(height: int, width: int, seed: int) -> np.ndarray:
    """Noise of all levels, noise of few levels, an even plane, and a ramp."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (height, width))
    dim = random.normal(random.uniform(0, 255), 9, (height, width)).clip(0, 255)
    even = np.full((height, width), random.integers(256))
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
    return np.stack([noise, dim, even, ramp]).astype(np.uint8)


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tiles=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    clip_limit=st.sampled_from([0.0, 0.01, 1.0, 2.0, 4.0, 100.0]) | st.floats(0.1, 50),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=150)
def test_every_pixel_equals_opencvs(size, tiles, clip_limit, seed):
    images = scenes(*size, seed)
    ours = equalise_batch(torch.from_numpy(images), clip_limit, tiles)
    np.testing.assert_array_equal(ours.numpy(), by_opencv(images, clip_limit, tiles))


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), side=st.integers(1, 20))
@settings(deadline=None, max_examples=50)
def test_every_pixel_equals_opencvs_where_tiles_divide_the_image(rows, columns, side):
    images = scenes(rows * side, columns * (side + 1), seed=side)
    ours = equalise_batch(torch.from_numpy(images), 4.0, (rows, columns))
    np.testing.assert_array_equal(ours.numpy(), by_opencv(images, 4.0, (rows, columns)))


@pytest.mark.parametrize("size", [(520, 704), (521, 704), (224, 224), (120, 120)])
def test_the_sizes_that_microscopes_give_equal_what_images_are_prepared_with(size):
    images = scenes(*size, seed=1)
    ours = equalise_batch(torch.from_numpy(images), CLAHE_CLIP_LIMIT, CLAHE_TILES)
    np.testing.assert_array_equal(ours.numpy(), np.stack([equalise(image) for image in images]))


def test_a_batch_equals_its_images_one_by_one():
    images = torch.from_numpy(scenes(50, 70, 3))
    alone = torch.cat([equalise_batch(image[None]) for image in images])
    assert torch.equal(equalise_batch(images), alone)


def test_mirroring_goes_back_and_forth_between_the_ends():
    assert mirror_places(8, 3, torch.device("cpu")).tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert mirror_places(3, 1, torch.device("cpu")).tolist() == [0, 0, 0]


def test_a_real_image_equals_opencvs(shared_data):
    paths = sorted((shared_data / "sartorius" / "train").glob("*.png"))[:3]
    images = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths])
    ours = equalise_batch(torch.from_numpy(images))
    np.testing.assert_array_equal(ours.numpy(), by_opencv(images, 4.0, (8, 8)))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("size", [(64, 64), (52, 70)])
def test_a_cuda_device_gives_the_same_levels(size):
    images = torch.from_numpy(scenes(*size, seed=2))
    assert torch.equal(equalise_batch(images.cuda()).cpu(), equalise_batch(images))
