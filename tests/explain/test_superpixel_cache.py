import pytest
import torch

from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.instances import FromMasks
from cellxai.explain.superpixels.methods import Grid, Slic
from cellxai.files.identity import describe_settings


class Counting(Superpixels):
    """A grid that counts the images it has cut."""

    def __init__(self, size_px: int = 4) -> None:
        self.size_px = size_px
        self.cut = 0

    def segment(self, images, instances=None):
        self.cut += len(images)
        return Grid(self.size_px).segment(images)


@pytest.fixture
def counting() -> Counting:
    return Counting()


def test_each_image_is_cut_once_alone_or_in_a_batch(counting, images, tmp_path):
    cached = CachedSuperpixels(counting, tmp_path / "cache")
    first = cached.segment(images)
    again = cached.segment(images.flip(0)).flip(0)
    assert counting.cut == 3
    assert torch.equal(first, again)
    assert torch.equal(first, Grid(4).segment(images))
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_another_pixel_setting_shape_or_dtype_is_another_entry(images, tmp_path):
    image = images[:1]
    variants = [image, image + 1e-6, image.double(), image.reshape(1, 3, 8, 32)]
    for image in variants:
        CachedSuperpixels(Grid(4), tmp_path).segment(image)
    CachedSuperpixels(Grid(8), tmp_path).segment(image)
    CachedSuperpixels(Slic(9), tmp_path).segment(image)
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "text", "other shape"])
def test_a_damaged_file_is_made_again(damage, counting, images, tmp_path):
    cached = CachedSuperpixels(counting, tmp_path)
    expected = cached.segment(images[:1])
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 0xFF
    elif damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    elif damage == "text":
        content = bytearray(b"no labels here")
    else:
        other = tmp_path / "other"
        CachedSuperpixels(counting, other).segment(images[:1, :, :8])
        content = bytearray(next(other.iterdir()).read_bytes())
    before = counting.cut
    path.write_bytes(content)
    assert torch.equal(cached.segment(images[:1]), expected)
    assert counting.cut == before + 1
    cached.segment(images[:1])
    assert counting.cut == before + 1


def test_instances_are_part_of_the_content(images, tmp_path):
    cells = torch.zeros(1, 16, 16, dtype=torch.long)
    more = cells.clone()
    more[0, 2:7, 2:7] = 1
    cached = CachedSuperpixels(FromMasks(), tmp_path)
    assert not torch.equal(cached.segment(images[:1], cells), cached.segment(images[:1], more))


def test_results_are_stored_as_those_of_the_method_itself(tmp_path):
    assert describe_settings(CachedSuperpixels(Slic(9), tmp_path)) == describe_settings(Slic(9))
