from collections import Counter

import numpy as np
import pytest
from PIL import Image

from cellxai.data.image_formats import ImageFault, read_image
from cellxai.data.readers.wbc import FOLDER, TABLE, WhiteBloodCells

LEVELS = np.array([[0, 128], [255, 0]], dtype=np.uint8)


@pytest.fixture
def layout(tmp_path, write_image, write_table):
    """Writes the cells 001 and 002 with their masks, and a table of the given classes."""

    def write(*classes: tuple[object, object]):
        for name in ("001.png", "002.png"):
            write_image(tmp_path / FOLDER / name, (2, 2, 3))
            (tmp_path / FOLDER / "masks").mkdir(exist_ok=True)
            Image.fromarray(LEVELS).save(tmp_path / FOLDER / "masks" / name)
        rows = [{"image ID": number, "class label": label} for number, label in classes]
        write_table(tmp_path / TABLE, ("image ID", "class label"), rows)
        return tmp_path

    return write


def test_numbers_become_names_and_grey_levels_become_labels(layout):
    first, second = WhiteBloodCells(layout((1, 2), (2, 5))).scan().records
    assert (first.id, first.label, second.label) == ("001", "lymphocyte", "basophil")
    assert first.load_mask().tolist() == [[0, 1], [2, 0]]


def test_rare_classes_can_be_left_out_and_are_reported(layout):
    scan = WhiteBloodCells(layout((1, 2)), min_per_class=2).scan()
    assert scan.records == ()
    assert [str(fault) for fault in scan.faults] == [
        "class lymphocyte: too few images: 1, expected at least min_per_class=2; left out"
    ]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ((2, 6), "unknown class '6'"),
        ((3, 1), "003.png"),
        (("../1", 1), "'../1', expected a number"),
        ((1, 1), "image '1' is in Class Labels of Dataset 1.csv row 2 already; remove one"),
    ],
)
def test_every_fault_names_its_row(layout, entry, what):
    scan = WhiteBloodCells(layout((1, 1), entry)).scan()
    assert [record.id for record in scan.records] == ["001"]
    assert scan.faults[0].where == f"{TABLE} row 3"
    assert what in scan.faults[0].what


def test_a_mask_with_other_levels_is_a_fault_when_it_is_read(layout):
    root = layout((1, 1))
    Image.fromarray(LEVELS + 1).save(root / FOLDER / "masks" / "001.png")
    with pytest.raises(ImageFault, match="grey level 1, expected"):
        WhiteBloodCells(root).scan().records[0].load_mask()


def test_the_real_cells_are_300_of_five_types(shared_data):
    scan = WhiteBloodCells(shared_data / "wbc").scan()
    assert scan.faults == ()
    assert Counter(record.label for record in scan.records) == {
        "neutrophil": 176,
        "lymphocyte": 53,
        "monocyte": 48,
        "eosinophil": 22,
        "basophil": 1,
    }
    common = WhiteBloodCells(shared_data / "wbc", min_per_class=2).scan()
    assert len(common.records) == 299
    assert [fault.where for fault in common.faults] == ["class basophil"]


def test_a_real_nucleus_is_darker_than_its_surroundings(shared_data):
    record = WhiteBloodCells(shared_data / "wbc").scan().records[0]
    image, mask = read_image(record.path), record.load_mask()
    assert np.unique(mask).tolist() == [0, 1, 2]
    assert image[mask == 2].mean() < image[mask == 0].mean()


def test_the_published_layout_has_each_mask_beside_its_image(tmp_path, write_image, write_table):
    write_image(tmp_path / FOLDER / "001.bmp", (2, 2, 3))
    Image.fromarray(LEVELS).save(tmp_path / FOLDER / "001.png")
    row = {"image ID": 1, "class label": 2}
    write_table(tmp_path / TABLE, ("image ID", "class label"), [row])
    (record,) = WhiteBloodCells(tmp_path).scan().records
    assert record.path == tmp_path / FOLDER / "001.bmp"
    assert record.load_mask().tolist() == [[0, 1], [2, 0]]
