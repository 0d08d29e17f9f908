import io
from itertools import combinations

import cv2
import numpy as np
import pytest
from PIL import Image

from cellxai.data.pixels import near_copies
from cellxai.data.pixels.near_copies import (
    SAME,
    NearCopy,
    bound_vectors,
    correlate,
    detail_of,
    find_near_copies,
    group_copies,
)


def texture(seed: int, shape: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A blurred noise: the grain of some picture, and no other has it."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return (128 + 60 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def recompress(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40)
    return np.array(Image.open(file))


CHANGES = {
    "the same": lambda pixels: pixels,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "turned": np.rot90,
    "transposed": np.transpose,
    "much larger": lambda pixels: cv2.resize(pixels, (1500, 1100), interpolation=cv2.INTER_CUBIC),
    "half as large": lambda pixels: cv2.resize(pixels, None, fx=0.5, fy=0.5),
    "squeezed": lambda pixels: cv2.resize(pixels, (100, 100), interpolation=cv2.INTER_AREA),
    "recompressed": recompress,
    "darker": lambda pixels: (0.7 * pixels).astype(np.uint8),
    "shaded": lambda pixels: (pixels * np.linspace(0.6, 1, pixels.shape[1])).astype(np.uint8),
    "of 16 bits": lambda pixels: pixels.astype(np.uint16) * 257,
    "in colour": lambda pixels: np.repeat(pixels[..., None], 3, -1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_however_it_was_changed_and_nothing_else(change):
    changed = CHANGES[change](texture(3))
    pictures = [*(texture(seed) for seed in range(30)), changed]
    (copy,) = find_near_copies(np.stack([detail_of(pixels) for pixels in pictures]))
    assert (copy.first, copy.second) == (3, 30)
    assert SAME <= copy.similarity <= 1.001


def test_the_pairs_are_those_of_comparing_each_with_each(monkeypatch):
    monkeypatch.setattr(near_copies, "BLOCK", 7)  # several blocks, of which the last is short
    generator = np.random.default_rng(0)
    pictures = [texture(seed) for seed in range(12)]
    for strength in range(0, 60, 5):  # nearer and farther versions
        noisy = np.rot90(pictures[strength % 12], strength // 5)
        noisy = noisy + generator.normal(0, strength, noisy.shape)
        pictures.append(noisy.clip(0, 255).astype(np.uint8))
    details = np.stack([detail_of(pixels) for pixels in pictures])
    expected = {
        (i, j)
        for i, j in combinations(range(len(details)), 2)
        if correlate(details[i][None], details[j][None])[0] >= SAME
    }
    assert {(copy.first, copy.second) for copy in find_near_copies(details)} == expected
    assert 0 < len(expected) < 40


def test_the_bound_holds_for_every_turned_version():
    details = np.stack([detail_of(texture(seed)) for seed in range(2)])
    for k in range(4):
        for turned in (np.rot90(details[1], k), np.rot90(details[1], k)[::-1]):
            pair = bound_vectors(np.stack([details[0], np.ascontiguousarray(turned)]))
            apart = np.linalg.norm(pair[0] - pair[1])
            nearest = correlate(details[:1], details[1:])[0]
            assert apart**2 <= 2 * (1 - nearest) + 1e-3


def test_blank_images_are_no_copies_of_each_other():
    blank = [np.full((40, 50), level, np.uint8) for level in (0, 7, 255)]
    details = np.stack([detail_of(pixels) for pixels in blank])
    assert not details.any()
    assert find_near_copies(details) == []
    assert find_near_copies(details[:0]) == []


def test_copies_of_copies_are_one_group():
    copies = [NearCopy(1, 4, 1.0), NearCopy(4, 5, 1.0), NearCopy(0, 2, 1.0)]
    assert group_copies(copies, 6).tolist() == [0, 1, 0, 3, 1, 1]


def test_hundreds_of_equal_images_are_each_paired_once():
    details = np.repeat(detail_of(texture(0))[None], 300, 0)
    assert [(copy.first, copy.second) for copy in find_near_copies(details)] == [
        (0, place) for place in range(1, 300)
    ]


def test_real_cells_are_told_apart_and_the_same_cell_twice_is_found(shared_data):
    from cellxai.data.image_formats import read_pixels
    from cellxai.data.readers.sartorius import Sartorius
    from cellxai.data.readers.wbc import WhiteBloodCells

    def copies(source) -> set[tuple[str, str]]:
        records = source.scan().records
        found = find_near_copies(np.stack([detail_of(read_pixels(record)) for record in records]))
        return {(records[copy.first].id, records[copy.second].id) for copy in found}

    assert copies(Sartorius(shared_data / "sartorius")) == set()
    # Seen by eye: the same cells, photographed or cut out twice.
    assert len(copies(WhiteBloodCells(shared_data / "wbc"))) == 4
