import json

import numpy as np
import pytest

from cellxai.data.readers.livecell import LiveCell
from cellxai.files.config import as_config

SHAPE = (12, 16)  # of `write_image`
SQUARE = [[2, 1, 5, 1, 5, 3, 2, 3]]
CATEGORIES = [{"id": 1, "name": "cell"}, {"id": 2, "name": "debris"}]
NAMES = ["A172_Phase_A7_1_00d00h00m_1.tif", "BV2_Phase_B4_1_00d00h00m_2.tif"]


def image(number: int, name: str, **changes: object) -> dict:
    return {"id": number, "file_name": name, "height": 12, "width": 16} | changes


def cell(number: int, segmentation: object = SQUARE, **changes: object) -> dict:
    return {"image_id": number, "category_id": 1, "segmentation": segmentation} | changes


@pytest.fixture
def layout(tmp_path, write_image):
    """Writes two images and a COCO file of the given entries."""

    def write(images, cells, name="train.json", categories=CATEGORIES, **options) -> LiveCell:
        for file in NAMES:
            write_image(tmp_path / file)
        content = {"images": images, "annotations": cells, "categories": categories}
        (tmp_path / name).write_text(json.dumps(content))
        return LiveCell(tmp_path, [tmp_path / name], **options)

    return write


def test_file_names_tell_class_and_well(layout):
    scan = layout([image(1, NAMES[0]), image(7, NAMES[1])], [cell(1), cell(7)]).scan()
    assert scan.faults == ()
    assert [(record.id, record.label, record.group) for record in scan.records] == [
        ("A172_Phase_A7_1_00d00h00m_1", "A172", "A172_Phase_A7"),
        ("BV2_Phase_B4_1_00d00h00m_2", "BV2", "BV2_Phase_B4"),
    ]


def test_polygons_and_run_lengths_become_labels_in_the_order_of_the_file(layout):
    runs = {"size": list(SHAPE), "counts": [12 * 15, 12]}
    text = {"size": list(SHAPE), "counts": "0<d5"}  # 0, 12, 180
    record = layout([image(1, NAMES[0])], [cell(1), cell(1, runs), cell(1, text)]).scan().records[0]
    expected = np.zeros(SHAPE, dtype=np.int32)
    expected[1:3, 2:5] = 1
    expected[:, 15] = 2
    expected[:, 0] = 3
    np.testing.assert_array_equal(record.load_mask(), expected)
    assert record.load_mask().dtype == np.int32


def test_an_image_without_objects_has_an_empty_mask(layout):
    assert not layout([image(1, NAMES[0])], []).scan().records[0].load_mask().any()


def test_images_may_lie_in_folders_of_their_cell_types(tmp_path, layout, write_image):
    source = layout([image(1, "SkBr3_Phase_E3_1_00d00h00m_1.tif")], [])
    nested = write_image(tmp_path / "SkBr3" / "SkBr3_Phase_E3_1_00d00h00m_1.tif")
    assert [record.path for record in source.scan().records] == [nested]


def test_several_files_are_one_data_set_whose_ids_may_repeat(tmp_path, layout):
    layout([image(1, NAMES[0])], [cell(1)], name="train.json")
    layout([image(1, NAMES[1])], [cell(1)], name="test.json")
    source = LiveCell(tmp_path, [tmp_path / "train.json", tmp_path / "test.json"])
    assert [record.label for record in source.scan().records] == ["A172", "BV2"]
    assert source.scan().faults == ()


def test_objects_keyed_by_id_are_read_as_a_list_is(tmp_path, layout):
    source = layout([image(1, NAMES[0])], {"17": cell(1)})
    assert source.scan().records[0].load_mask().max() == 1


def test_the_category_can_be_the_class(layout):
    cells = [cell(1), cell(1), cell(2, category_id=2)]
    source = layout([image(1, NAMES[0]), image(2, NAMES[1])], cells, label="category")
    assert [record.label for record in source.scan().records] == ["cell", "debris"]


def test_wells_can_be_parted_and_an_unknown_well_leaves_the_others(layout, tmp_path, write_image):
    free = layout([image(1, NAMES[0])], [], groups="none")
    assert free.scan().records[0].group is None
    write_image(tmp_path / "HeLa.tif")
    partial = layout([image(1, NAMES[0]), image(2, "HeLa.tif")], [])
    groups = [(record.label, record.group) for record in partial.scan().records]
    assert groups == [("A172", "A172_Phase_A7"), ("HeLa", None)]


@pytest.mark.parametrize(
    ("images", "cells", "where", "what"),
    [
        ([image(2, "gone_1.tif")], [], "images[1]", "no such file as"),
        ([image(2, "../up_1.tif")], [], "images[1]", "expected a name within the folder"),
        ([image(2, "/up_1.tif")], [], "images[1]", "expected a name within the folder"),
        ([image(2, None)], [], "images[1]", "file_name None"),
        ([image(2, NAMES[1], height=0)], [], "images[1]", "height 0 and width 16"),
        ([image(2, NAMES[1], width="16")], [], "images[1]", "width '16'"),
        ([image(None, NAMES[1])], [], "images[1]", "id None"),
        ([image(1, NAMES[1])], [], "images[1]", "is that of train.json images[0] already"),
        ([image(2, NAMES[0])], [], "images[1]", "is train.json images[0] already"),
        (["text"], [], "images[1]", "id None"),
        ([], [cell(9)], "annotations[0]", "image_id 9 is not the id"),
        ([], [cell([])], "annotations[0]", "image_id [] is not the id"),
        ([], [cell(1), cell(1, category_id=5)], "annotations[1]", "category_id 5"),
        ([], [cell(1), cell(1, [[0, 0, 1, 1]])], "annotations[1]", "a polygon of 2 corners"),
        ([], [cell(1, {"size": [1, 1], "counts": "1"})], "annotations[0]", "size [1, 1]"),
        ([], ["text"], "annotations[0]", "image_id None"),
    ],
)
def test_every_fault_is_one_line_that_names_its_entry(layout, images, cells, where, what):
    scan = layout([image(1, NAMES[0]), *images], cells).scan()
    assert len(scan.faults) == 1
    assert scan.faults[0].where == f"train.json {where}"
    assert what in scan.faults[0].what
    assert "\n" not in str(scan.faults[0])
    assert [record.label for record in scan.records] == ["A172"]


def test_an_image_with_a_broken_object_keeps_its_class_and_loses_its_incomplete_mask(layout):
    record = layout([image(1, NAMES[0])], [cell(1), cell(1, None)]).scan().records[0]
    assert (record.label, record.load_mask) == ("A172", None)


def test_an_image_of_two_categories_has_no_class(layout):
    cells = [cell(1), cell(1, category_id=2)]
    scan = layout([image(1, NAMES[0]), image(2, NAMES[1])], cells, label="category").scan()
    assert scan.records == ()
    assert [fault.what for fault in scan.faults] == [
        f"{NAMES[0]!r} has cell, debris, expected one category",
        f"{NAMES[1]!r} has no object, expected one category",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "not valid JSON"),
        ("[]", "no list 'images'"),
        ('{"images": []}', "no list 'annotations'"),
        ('{"images": 5, "annotations": []}', "no list 'images'"),
    ],
)
def test_a_file_that_is_no_coco_file_is_an_error(tmp_path, text, message):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        LiveCell(tmp_path, [tmp_path / "train.json"]).scan()


def test_missing_folders_and_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone: no such folder"):
        LiveCell(tmp_path / "gone", []).scan()
    with pytest.raises(FileNotFoundError, match=r"train\.json: no such file"):
        LiveCell(tmp_path, [tmp_path / "train.json"]).scan()


def test_a_run_can_record_the_source(tmp_path):
    recorded = as_config(LiveCell(tmp_path, [tmp_path / "train.json"]))
    assert recorded["init_args"]["annotations"] == [str(tmp_path / "train.json")]


def test_the_folders_of_the_published_archive_are_found(layout, tmp_path):
    source = layout([image(1, NAMES[0]), image(2, NAMES[1])], [])
    places = ["livecell_train_val_images", "livecell_test_images/BV2"]
    for place, name in zip(places, NAMES, strict=True):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / name).rename(tmp_path / place / name)
    paths = [record.path.relative_to(tmp_path) for record in source.scan().records]
    assert [str(path) for path in paths] == [
        f"{place}/{name}" for place, name in zip(places, NAMES, strict=True)
    ]
