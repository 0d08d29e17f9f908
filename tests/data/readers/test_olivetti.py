import numpy as np
import pytest

from cellxai.data.loading.cache import cache_key
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers import olivetti
from cellxai.data.readers.olivetti import OlivettiFaces, turn_upright
from cellxai.data.splits import SplitSettings, split_records


@pytest.fixture
def faces(monkeypatch):
    """Three photos each of two people, in no order."""
    people = np.array([1, 0, 1, 0, 0, 1])
    photos = np.random.default_rng(0).integers(0, 256, (6, 64, 64), dtype=np.uint8)
    monkeypatch.setattr(olivetti, "read_faces", lambda root: (photos, people))
    return photos


def test_a_record_per_photo_named_by_person(faces):
    records = OlivettiFaces().scan().records
    assert [record.id for record in records][:4] == [
        "person-00-photo-0", "person-00-photo-1", "person-00-photo-2", "person-01-photo-0"
    ]  # fmt: skip
    assert {record.label for record in records} == {"person-00", "person-01"}


def test_pixels_come_from_the_one_file(faces):
    records = OlivettiFaces().scan().records
    transforms = Transforms(image_size=(64, 64), clahe=False)
    images = CellImages(
        records, dict.fromkeys((r.id for r in records), "train"), ["person-00", "person-01"],
        transforms,
    )  # fmt: skip
    np.testing.assert_array_equal(images.images("train")[:, 0], faces[[1, 3, 4, 0, 2, 5]])


def test_photos_of_the_one_file_are_kept_apart_in_the_cache(faces):
    first, second, *_ = OlivettiFaces().scan().records
    assert cache_key([first], Transforms()) != cache_key([second], Transforms())


def test_photos_lying_on_their_side_are_turned():
    lying = np.zeros((3, 8, 8))
    lying[:, 2:6, 1:3] = 1  # alike from top to bottom, and not from left to right
    np.testing.assert_array_equal(turn_upright(lying), lying.transpose(0, 2, 1))
    np.testing.assert_array_equal(turn_upright(turn_upright(lying)), turn_upright(lying))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"olivetti_py3\.pkz; name its folder"):
        OlivettiFaces(tmp_path).scan()


def test_the_real_faces_are_split_by_photo_of_each_person(shared_data):
    records = OlivettiFaces(shared_data / "olivetti").scan().records
    assert (len(records), len({record.label for record in records})) == (400, 40)
    parts = split_records(records, SplitSettings(validation_share=0.1, test_share=0.1))
    for part in ("validation", "test"):
        people = [record.label for record in records if parts[record.id] == part]
        assert sorted(people) == sorted(set(people))
        assert len(people) == 40
