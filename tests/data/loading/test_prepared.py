import numpy as np
import pytest

from cellxai.data.image_formats import read_pixels
from cellxai.data.loading.cache import Kept
from cellxai.data.loading.prepared import (
    check_any_readable,
    pair_with_records,
    prepare_all,
    prepare_each,
    read_prepared,
)
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record

TRANSFORMS = Transforms(image_size=(8, 10))


@pytest.fixture
def photos(tmp_path, write_image) -> list[Record]:
    """Five images, of which the second and the last are broken."""
    paths = [write_image(tmp_path / f"{i}.png", (30, 40), seed=i) for i in range(5)]
    for place in (1, 4):
        paths[place].write_bytes(b"broken")
    return [Record(path.stem, path, "a") for path in paths]


def test_a_broken_file_costs_itself_and_no_other(photos):
    prepared = prepare_all(photos, TRANSFORMS)
    assert [record.id for record in prepared.records] == ["0", "2", "3"]
    assert [fault.where for fault in prepared.faults] == ["image 1", "image 4"]
    for record, image in zip(prepared.records, prepared.images, strict=True):
        expected = TRANSFORMS.prepare(read_pixels(record))
        np.testing.assert_array_equal(image.permute(1, 2, 0), expected)


def test_threads_keep_the_order(photos):
    results = list(prepare_each(photos, TRANSFORMS))
    assert [isinstance(result, str) for result in results] == [False, True, False, False, True]
    for result, record in zip(results, photos, strict=True):
        np.testing.assert_array_equal(result, read_prepared(record, TRANSFORMS))


def test_no_image_at_all_has_the_shape_of_none(photos):
    prepared = prepare_all([photos[1]], TRANSFORMS)
    assert prepared.images.shape == (0, 1, 8, 10)
    with pytest.raises(ValueError, match="none of 1 images can be read, the first: image 1: "):
        check_any_readable([prepared])
    check_any_readable([prepared, prepare_all(photos, TRANSFORMS)])


def test_what_was_kept_is_paired_with_the_records_that_are_not_broken(photos):
    kept = Kept(np.arange(3 * 80, dtype=np.uint8).reshape(3, 1, 8, 10), {0: "cut off", 3: "empty"})
    paired = pair_with_records(photos, kept)
    assert [record.id for record in paired.records] == ["1", "2", "4"]
    assert [str(fault) for fault in paired.faults] == ["image 0: cut off", "image 3: empty"]
    np.testing.assert_array_equal(paired.images.numpy(), kept.images)
