from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai.data.loading.copied_images import note_copies, with_copies_grouped
from cellxai.data.loading.datamodule import CellImages
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.data.splits import PARTS, SplitSettings, split_records


@pytest.fixture
def records(tmp_path) -> list[Record]:
    """Thirty pictures of noise, of which every third has a mirrored copy in its own class."""
    generator, made = np.random.default_rng(0), []

    def add(name: str, pixels: np.ndarray, label: str) -> None:
        path = Path(tmp_path / f"{name}.png")
        Image.fromarray(pixels).save(path)
        made.append(Record(name, path, label))

    for i in range(30):
        pixels = generator.integers(0, 256, (32, 32), dtype=np.uint8)
        add(f"{i:02}", pixels, "ab"[i % 2])
        if i % 3 == 0:
            add(f"{i:02}m", pixels[:, ::-1], "ab"[i % 2])
    return made


def images_of(records: list[Record], parts: dict[str, str]) -> CellImages:
    return CellImages(records, parts, ("a", "b"), Transforms(image_size=(32, 32)))


def test_copies_in_different_parts_are_counted_and_the_first_are_named(records):
    parts = {record.id: "test" if record.id.endswith("m") else "train" for record in records}
    (note,) = note_copies(images_of(records, parts))
    assert note.where == "near copies in different parts"
    assert note.what.startswith("10 images: 00m (test) of 00 (train), correlation 1.00; 03m (test)")
    assert "and 7 more; what they are judged by may have been learnt by heart" in note.what
    apart = {record.id: PARTS[int(record.id[:2]) % 3] for record in records}
    assert note_copies(images_of(records, apart)) == []


def test_copies_are_kept_together_and_without_any_the_split_is_what_it_was(records):
    settings = SplitSettings()
    leaky = split_records(records, settings)
    kept = split_records(with_copies_grouped(records), settings)
    copies = [name for name in kept if name.endswith("m")]
    assert len(copies) == 10
    assert any(leaky[name] != leaky[name[:2]] for name in copies)
    assert all(kept[name] == kept[name[:2]] for name in copies)
    assert note_copies(images_of(records, kept)) == []
    plain = [record for record in records if not record.id.endswith("m")]
    assert with_copies_grouped(plain) == plain


def test_groups_that_share_a_copy_become_one(records):
    plates = [
        Record(r.id, r.path, r.label, "other" if r.id in ("00m", "01") else None) for r in records
    ]
    grouped = {record.id: record.group for record in with_copies_grouped(plates)}
    assert grouped["00"] == grouped["00m"] == grouped["01"] != grouped["02"]
    assert grouped["02"] is None


def test_a_file_that_parts_the_images_says_where_copies_go(tmp_path):
    with pytest.raises(ValueError, match="the file says which image is where; pass one of the two"):
        SplitSettings(file=tmp_path / "split.csv", keep_copies_together=True)
