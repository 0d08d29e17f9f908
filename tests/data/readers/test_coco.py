import json

import numpy as np
import pytest

from cellxai.data.readers.coco import label_map_loader, read_coco

SQUARE = [[2, 1, 5, 1, 5, 3, 2, 3]]
IMAGE = {"id": 1, "file_name": "a/b.tif", "height": 6, "width": 8}
CONTENT = {
    "images": [IMAGE, IMAGE | {"id": "two", "file_name": "c.tif"}],
    "annotations": [{"image_id": 1, "category_id": 3, "segmentation": SQUARE}],
    "categories": [{"id": 3, "name": "cell"}, {"name": "of no id"}, "text"],
}


@pytest.fixture
def read(tmp_path):
    """Reads a COCO file with the content, of which some lists are replaced."""

    def write(**changes):
        (tmp_path / "coco.json").write_text(json.dumps(CONTENT | changes))
        return read_coco(tmp_path / "coco.json")

    return write


def test_objects_go_to_their_image_in_the_order_of_the_file(read):
    corner = {"image_id": 1, "category_id": 3, "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]]}
    (first, second), faults = read(annotations=[*CONTENT["annotations"], corner])
    assert faults == []
    assert (str(first.file_name), first.shape, first.categories) == ("a/b.tif", (6, 8), {"cell"})
    expected = np.zeros((6, 8), dtype=np.int32)
    expected[1:3, 2:5] = 1
    expected[0:2, 0:3] = 2  # the later one lies on top
    np.testing.assert_array_equal(label_map_loader(first.objects, first.shape)(), expected)
    assert (second.objects, second.complete) == ([], True)


def test_lists_that_are_keyed_by_ids_are_lists(read):
    keyed = {"17": CONTENT["annotations"][0]}
    (plain, _), _ = read()
    (image, _), faults = read(annotations=keyed)
    assert faults == []
    np.testing.assert_array_equal(image.objects[0][0], plain.objects[0][0])


def test_a_broken_object_costs_the_mask_of_its_image_alone(read):
    broken = {"image_id": 1, "category_id": 3, "segmentation": [[0, 0, 1, 1]]}
    (first, second), faults = read(annotations=[broken])
    assert [fault.where for fault in faults] == ["coco.json annotations[0]"]
    assert "in 'a/b.tif': " in faults[0].what
    assert (first.complete, second.complete) == (False, True)


@pytest.mark.parametrize("name", ["../up.tif", "/up.tif", "a/../../up.tif", "", None])
def test_a_name_that_leaves_the_folder_is_a_fault(read, name):
    images, faults = read(images=[IMAGE | {"file_name": name}], annotations=[])
    assert images == []
    assert f"file_name {name!r}, expected a name within the folder" in faults[0].what
