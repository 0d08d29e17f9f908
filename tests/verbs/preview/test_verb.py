"""The verb ``preview``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.records import Record
from cellxai.files.folder import read_csv
from cellxai.verbs.preview import preview
from cellxai.verbs.preview.verb import choose_images, contrast_of, describe_transforms

SMALL = Transforms(image_size=(24, 32))
WRITTEN = {
    "batch.png", "clahe.png", "classes.csv", "counts.png", "preview.json", "statistics.csv",
    "statistics.png",
}  # fmt: skip


def write_images(root: Path, **counts: int) -> ImageFolder:
    """A folder of noise, whose spread is another in each class."""
    random = np.random.default_rng(0)
    for place, (label, count) in enumerate(counts.items()):
        (root / label).mkdir(parents=True)
        for i in range(count):
            noise = random.normal(128, 6 + 20 * place, (12, 16 + 4 * place)).clip(0, 255)
            Image.fromarray(noise.astype(np.uint8)).save(root / label / f"{label}{i}.png")
    return ImageFolder(root)


@pytest.mark.renders
def test_preview_writes_pictures_and_tables_with_each_class_in_them(tmp_path):
    data = write_images(tmp_path / "data", astro=5, cort=5)
    shown = preview(data, tmp_path / "out", SMALL, n_images=3)
    assert {path.name for path in shown.folder.iterdir()} == WRITTEN
    assert [Path(name).name.split("-")[-1][:4] for name in shown.images] == ["astr", "astr", "cort"]
    for name in WRITTEN:
        if name.endswith(".png"):
            with Image.open(shown.folder / name) as picture:
                assert picture.width > 500


def test_the_table_has_the_numbers_of_every_image(tmp_path):
    data = write_images(tmp_path / "data", astro=2, cort=3)
    shown = preview(data, tmp_path / "out", SMALL)
    rows = {row["id"]: row for row in read_csv(tmp_path / "out" / "statistics.csv")}
    for record in data.scan().records:
        pixels = np.array(Image.open(record.path))
        row = rows.pop(record.id)
        assert float(row["mean"]) == pytest.approx(pixels.mean(), abs=1e-3)
        assert float(row["sd"]) == pytest.approx(pixels.std(), abs=1e-3)
        assert (int(row["height"]), int(row["width"])) == pixels.shape
    assert rows == {}
    assert [(one.label, one.n_images, one.sizes) for one in shown.classes] == [
        ("astro", 2, "12×16"), ("cort", 3, "12×20"),
    ]  # fmt: skip


def test_the_classes_are_summed_up_and_the_one_number_baseline_is_told(tmp_path):
    shown = preview(write_images(tmp_path / "data", astro=4, cort=6), tmp_path / "out", SMALL)
    lines = str(shown).splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["astro", "4"], ["cort", "6"]]
    # Noise of 6 and of 26 grey levels is told apart by its spread alone.
    assert (shown.by_spread, shown.by_constant) == (1.0, 0.6)
    assert "the pixel sd alone tells the class of 100.0%" in lines[4]


def test_a_broken_image_is_left_out_and_told(tmp_path):
    data = write_images(tmp_path / "data", astro=3, cort=3)
    broken = tmp_path / "data" / "astro" / "astro1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    shown = preview(data, tmp_path / "out", SMALL)
    assert [one.n_images for one in shown.classes] == [2, 3]
    assert len(shown.faults) == 1
    assert "astro1.png" in str(shown).splitlines()[-1]


def test_contrast_is_shown_without_and_with_clahe_whatever_the_settings_say(tmp_path):
    record = write_images(tmp_path / "data", astro=1).scan().records[0]
    on, off = (contrast_of(record, Transforms((24, 32), clahe=clahe)) for clahe in (True, False))
    np.testing.assert_array_equal(on.before, off.before)
    np.testing.assert_array_equal(on.after, off.after)
    assert on.after.std() > on.before.std()


@pytest.mark.renders
def test_preview_is_the_same_picture_for_the_same_seed(tmp_path):
    data = write_images(tmp_path / "data", cort=5)

    def drawn(seed: int) -> bytes:
        preview(data, tmp_path / "out", SMALL, n_images=1, seed=seed)
        return np.array(Image.open(tmp_path / "out" / "batch.png")).tobytes()

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_class_has_an_image_even_if_that_makes_more_than_asked_for():
    records = [Record(f"{label}{i}", Path(), label) for label in "abc" for i in range(4)]
    assert [record.label for record in choose_images(records, 1, seed=0)] == ["a", "b", "c"]
    assert [record.label for record in choose_images(records, 5, seed=0)] == [
        "a",
        "a",
        "b",
        "b",
        "c",
    ]
    assert len(choose_images(records, 99, seed=0)) == 12


def test_preview_of_nothing_says_what_to_do(tmp_path):
    data = write_images(tmp_path / "data", cort=1)
    (tmp_path / "data" / "cort" / "cort0.png").write_bytes(b"")
    with pytest.raises(ValueError, match="run `cellxai check`"):
        preview(data, tmp_path / "out")


def test_the_steps_are_described_in_their_order():
    assert describe_transforms(Transforms(crop=96, colour="rgb", clahe=False)) == (
        "always: rgb → resize to 224×224    "
        "training only: crop 96×96 → flip left-right 50%, upside-down 50% → brightness ±10%"
    )
