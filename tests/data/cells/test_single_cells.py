import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cell_scenes import Scenes, boxes_on, noise, write_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from cellxai.data.cells import SingleCells
from cellxai.data.frames.kept import FRAMES
from cellxai.data.ids import LONGEST_ID, is_safe_id
from cellxai.data.loading import cache
from cellxai.data.loading.prepared import prepare_all
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Record
from cellxai.data.splits import SplitSettings, split_records
from cellxai.files.config import as_config, build_from
from cellxai.verbs.check import check

MASK = boxes_on((40, 50), {1: (0, 3, 6, 9), 5: (10, 10, 18, 20), 6: (25, 30, 26, 32)})


@pytest.fixture
def scene(tmp_path) -> Record:
    return write_scene(tmp_path, "f", MASK, noise((40, 50)))


def ids_of(source):
    return [record.id for record in source.scan().records]


def test_ids_name_the_image_and_the_number_in_the_mask(scene):
    source = SingleCells(Scenes([scene]), 16, border="keep")
    assert ids_of(source) == ["f__cell1", "f__cell5", "f__cell6"]


def test_cells_at_the_border_and_small_or_large_ones_are_left_out_and_counted(scene):
    source = SingleCells(Scenes([scene]), 16, min_area_px=3)
    assert ids_of(source) == ["f__cell5"]
    (note,) = source.scan().notes
    assert str(note) == "cells: of 3 left out: 1 at the border, 1 below min_area_px=3"
    assert ids_of(replace(source, min_area_px=1, max_area_px=79)) == ["f__cell6"]


def test_cells_that_exceed_the_square_are_counted(scene):
    notes = SingleCells(Scenes([scene]), 12, margin_px=2).scan().notes
    expected = "1 of 3 need more than size_px=12 with their margins, 14 at most; cut at the square"
    assert str(notes[1]) == f"cells: {expected}"


def test_cells_are_a_group_by_their_image_or_by_the_group_of_that(scene, tmp_path):
    plate = replace(scene, id="g", group="plate 1")
    records = SingleCells(Scenes([scene, plate]), 16).scan().records
    assert [record.group for record in records] == ["f", "f", "plate 1", "plate 1"]


def test_whatever_a_record_of_an_image_has_its_cells_have(scene):
    (record, _) = SingleCells(Scenes([replace(scene, label="astro")]), 16).scan().records
    assert (record.label, record.path) == ("astro", scene.path)


@settings(max_examples=10)
@given(st.integers(3, 9), st.integers(0, 5))
def test_no_split_parts_the_cells_of_an_image(n_images, seed):
    scenes = [
        Record(f"{place}", Path("none.png"), "ab"[place % 2], load_mask=lambda: MASK)
        for place in range(2 * n_images)
    ]
    records = SingleCells(Scenes(scenes), 16, border="keep").scan().records
    parts = split_records(records, SplitSettings(seed=seed))
    parts_of = {record.group: set() for record in records}
    for record in records:
        parts_of[record.group].add(parts[record.id])
    assert all(len(of_image) == 1 for of_image in parts_of.values())


def test_a_long_id_of_an_image_gives_safe_ids_of_its_cells(scene):
    first, second = (replace(scene, id="x" * (LONGEST_ID - 1) + end) for end in "ab")
    ids = ids_of(SingleCells(Scenes([first, second]), 16))
    assert all(map(is_safe_id, ids))
    assert len(set(ids)) == 4


class TestClasses:
    def test_of_a_table_are_those_of_its_rows(self, scene, tmp_path):
        table = tmp_path / "cells.csv"
        table.write_text("image,cell,label\nf,5,round\nf,6,long\n")
        scan = SingleCells(Scenes([scene]), 16, border="keep", label="table", table=table).scan()
        assert [(record.id, record.label) for record in scan.records] == [
            ("f__cell5", "round"), ("f__cell6", "long")
        ]  # fmt: skip
        (fault,) = scan.faults
        assert "no class for 1 of 3 cells (f__cell1); left out" in str(fault)

    def test_of_a_broken_table_cost_their_rows(self, scene, tmp_path):
        table = tmp_path / "cells.csv"
        rows = ["f,5,round", "f,5,long", "f,77,long", "g,1,long", "f,six,long", "f,6,"]
        table.write_text("\n".join(["image,cell,label", *rows, ""]))
        scan = SingleCells(Scenes([scene]), 16, label="table", table=table).scan()
        assert [record.id for record in scan.records] == ["f__cell5"]
        assert [str(fault) for fault in scan.faults] == [
            "cells.csv row 3: cell 5 of image 'f' is in cells.csv row 2 already; remove one",
            "cells.csv row 6: cell 'six' of image 'f', expected its number in the mask",
            "cells.csv row 7: label of cell 6 of image 'f' is blank, expected a class",
            "cells.csv row 4: image 'f' has no cell 77, but such as 1, 5, 6",
            "cells.csv row 5: image 'g' is not the id of an image with cells, such as f",
            f"table {table}: no class for 1 of 3 cells (f__cell6); left out",
        ]

    def test_of_annotations_are_the_categories_by_number(self, scene):
        named = replace(scene, cell_classes=("a", "b", "c", "d", "e"))
        scan = SingleCells(Scenes([named]), 16, label="category").scan()
        assert [record.label for record in scan.records] == ["e"]
        assert "categories: no class for 1 of 3 cells (f__cell6)" in str(scan.faults[0])


class TestAFault:
    def test_a_broken_mask_costs_its_image_alone(self, scene, tmp_path):
        other = write_scene(tmp_path, "g", MASK, noise((40, 50)))
        (tmp_path / "g_mask.tif").write_bytes(b"II*\0 not a mask")
        scan = SingleCells(Scenes([scene, other]), 16).scan()
        assert [record.id for record in scan.records] == ["f__cell5", "f__cell6"]
        assert [fault.where for fault in scan.faults] == ["mask of image g"]

    def test_a_mask_of_another_size_is_found_in_the_scan(self, tmp_path):
        scan = SingleCells(Scenes([write_scene(tmp_path, "f", MASK, noise((41, 50)))])).scan()
        assert scan.records == ()
        assert "mask of image f: 40×50 pixels, but" in str(scan.faults[0])

    def test_an_image_without_a_mask_has_no_cell(self, scene):
        bare = replace(scene, id="bare", load_mask=None)
        scan = SingleCells(Scenes([scene, bare]), 16).scan()
        assert "masks: none for 1 of 2 images (bare), which are left out" in str(scan.faults[0])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size_px": 0}, "size_px=0: expected 1…4096 pixels"),
            ({"margin_px": -1}, "margin_px=-1: expected 0 or more"),
            ({"min_area_px": 0}, "min_area_px=0: expected 1 or more"),
            ({"max_area_px": 4, "min_area_px": 5}, "max_area_px=4: expected at least"),
            ({"label": "table"}, "label=table and table=None"),
            ({"table": Path("t.csv")}, "a table goes with label=table"),
            ({"label": "category", "instances": "connected"}, "needs instances=labels"),
        ],
    )
    def test_an_option_that_cannot_be_is_named(self, options, message):
        with pytest.raises(ValueError, match=message):
            SingleCells(Scenes([]), **options)


class TestTheIndex:
    @pytest.fixture
    def read(self, monkeypatch) -> list[str]:
        """Names of the masks that were read."""
        from cellxai.data.masks import label_maps

        names: list[str] = []
        load = label_maps.load_strictly
        monkeypatch.setattr(
            label_maps, "load_strictly", lambda *words: (names.append("mask"), load(*words))[1]
        )
        return names

    def test_is_read_in_the_place_of_masks_and_says_the_same(self, scene, tmp_path, read):
        source = SingleCells(Scenes([scene]), 16, index=tmp_path / "index")
        first = source.scan()
        assert len(read) == 1
        second = source.scan()
        assert len(read) == 1
        for one, other in zip(first.records, second.records, strict=True):
            assert one.load_image.identity == other.load_image.identity

    def test_is_none_of_a_mask_that_changed(self, scene, tmp_path, read):
        source = SingleCells(Scenes([scene]), 16, index=tmp_path / "index")
        assert len(ids_of(source)) == 2
        write_scene(tmp_path, "f", np.where(MASK == 6, 0, MASK), noise((40, 50)))
        assert ids_of(source) == ["f__cell5"]

    @pytest.mark.parametrize(
        "spoil", [lambda text: text[:-9], lambda text: text.replace("10,", "11,", 1), str.upper]
    )
    def test_that_is_damaged_is_made_anew(self, scene, tmp_path, read, spoil):
        source = SingleCells(Scenes([scene]), 16, index=tmp_path / "index")
        source.scan()
        (file,) = (tmp_path / "index").iterdir()
        sound = file.read_text()
        file.write_text(spoil(sound))
        assert ids_of(source) == ["f__cell5", "f__cell6"]
        assert file.read_text() == sound

    def test_keeps_no_broken_mask(self, scene, tmp_path, read):
        mask = tmp_path / "f_mask.tif"
        sound, times = mask.read_bytes(), mask.stat()
        mask.write_bytes(b"II*\0 not a mask".ljust(len(sound)))
        os.utime(mask, ns=(times.st_atime_ns, times.st_mtime_ns))
        source = SingleCells(Scenes([scene]), 16, index=tmp_path / "index")
        assert ids_of(source) == []
        mask.write_bytes(sound)
        os.utime(mask, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert ids_of(source) == ["f__cell5", "f__cell6"]


class TestTheCacheOfPixels:
    TRANSFORMS = Transforms(image_size=(8, 8))

    def test_serves_cells_without_decoding_and_an_image_is_decoded_once(
        self, scene, tmp_path, monkeypatch
    ):
        from cellxai.data import image_formats

        decoded = []
        read = image_formats.read_image
        monkeypatch.setattr(
            image_formats, "read_image", lambda *words: (decoded.append(words[0]), read(*words))[1]
        )
        FRAMES.clear()
        records = SingleCells(Scenes([scene]), 16, border="keep").scan().records
        first = prepare_all(records, self.TRANSFORMS, tmp_path / "cache")
        assert decoded == [scene.path]
        FRAMES.clear()
        second = prepare_all(records, self.TRANSFORMS, tmp_path / "cache")
        assert decoded == [scene.path]
        np.testing.assert_array_equal(first.images, second.images)
        assert len(first.images) == 3

    @pytest.mark.parametrize(
        "options", [{"size_px": 18}, {"neighbours": "blank"}, {"border": "keep"}]
    )
    def test_knows_another_cut_by_its_key(self, scene, options):
        source = SingleCells(Scenes([scene]), 16)
        keys = [
            cache.cache_key(s.scan().records, self.TRANSFORMS)
            for s in (source, replace(source, **options))
        ]
        assert keys[0] != keys[1]

    def test_knows_another_mask_by_its_key(self, scene, tmp_path):
        source = SingleCells(Scenes([scene]), 16)
        before = cache.cache_key(source.scan().records, self.TRANSFORMS)
        changed = MASK.copy()
        changed[0, 40] = 9  # at the border: the cells that are kept are the same
        write_scene(tmp_path, "f", changed, noise((40, 50)))
        assert cache.cache_key(source.scan().records, self.TRANSFORMS) != before


def test_a_run_folder_records_it_and_builds_it_again(tmp_path):
    from cellxai.data.readers.folder import ImageFolder

    source = SingleCells(ImageFolder(tmp_path, tmp_path / "masks"), 64, neighbours="blank")
    config = as_config({"data": source})
    assert build_from(check, config, "config")["data"] == source


def test_check_finds_nothing_wrong_with_the_cells_of_sound_images(scene, tmp_path):
    other = write_scene(tmp_path, "g", MASK, noise((40, 50), 1), "b")
    report = check(SingleCells(Scenes([scene, other]), 16))
    assert (report.faults, report.classes) == ((), {"a": 2, "b": 2})
