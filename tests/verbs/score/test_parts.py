import os
from dataclasses import replace

import numpy as np
import pytest
from cell_scenes import Scenes, boxes_on, noise, write_scene
from PIL import Image

from cellxai.data.cells import SingleCells
from cellxai.data.image_formats import read_pixels
from cellxai.data.readers.unlabelled import records_of_files
from cellxai.data.tiles import Tiles
from cellxai.verbs.score.parts import cut_images, key_of_record

MASK = boxes_on((40, 50), {3: (10, 10, 18, 20), 6: (25, 30, 27, 32)})
CELLS = SingleCells(Scenes([]), 16)


@pytest.fixture
def folder(tmp_path):
    """An image, and its mask of the same name in a folder of masks."""
    record = write_scene(tmp_path / "images", "f", MASK, noise((40, 50)))
    (tmp_path / "masks").mkdir()
    mask = tmp_path / "images" / "f_mask.tif"
    mask.rename(tmp_path / "masks" / "f.tif")
    return tmp_path, records_of_files([record.path])


def test_cells_are_cut_by_the_masks_of_a_folder_as_the_run_cuts_them(folder):
    root, records = folder
    cells = replace(CELLS, min_area_px=5)
    scan = cut_images(records, cells, [], root / "masks")
    (cell,) = scan.records
    assert (cell.id, cell.label, scan.faults) == ("images__f__cell3", "", ())
    np.testing.assert_array_equal(read_pixels(cell), noise((40, 50))[6:22, 7:23])


def test_cells_are_cut_by_the_masks_of_a_table(folder):
    root, records = folder
    (root / "plate.csv").write_text("path,mask\nimages/f.png,masks/f.tif\n")
    table = SingleCells(Scenes([]), 16, label="table", table=root / "none.csv")
    scan = cut_images(records, table, [str(root / "plate.csv")], None)
    assert [cell.id for cell in scan.records] == ["images__f__cell3", "images__f__cell6"]


def test_masks_below_the_folder_of_images_are_no_images(folder):
    root, records = folder
    masks = records_of_files([(root / "masks" / "f.tif").resolve()])
    both = [*records, *masks]
    scan = cut_images(both, CELLS, [], root / "masks")
    assert [cell.id for cell in scan.records] == ["images__f__cell3", "images__f__cell6"]
    (root / "plate.csv").write_text("path,mask\nimages/f.png,masks/f.tif\n")
    assert len(cut_images(both, CELLS, [str(root / "plate.csv")], None).records) == 2


def test_masks_of_cellpose_beside_the_images_are_no_images(folder):
    root, records = folder
    beside = records[0].path.with_name("f_cp_masks.tif")
    (root / "masks" / "f.tif").rename(beside)
    both = [*records, *records_of_files([beside])]
    scan = cut_images(both, CELLS, [], root / "images")
    assert [cell.id for cell in scan.records] == ["images__f__cell3", "images__f__cell6"]


def test_an_image_without_a_mask_among_others_is_named(folder):
    root, records = folder
    bare = write_scene(root / "images", "g", MASK, noise((40, 50)))
    scan = cut_images([*records, *records_of_files([bare.path])], CELLS, [], root / "masks")
    assert len(scan.records) == 2
    assert "none for 1 of 2 images (images__g)" in str(scan.faults[0])


def test_without_any_mask_crops_of_the_size_are_taken_and_other_images_refused(folder):
    root, records = folder
    crop = root / "crop.png"
    Image.fromarray(noise((16, 16))).save(crop)
    crops = records_of_files([crop])
    assert cut_images(crops, CELLS, [], None).records == tuple(crops)
    with pytest.raises(ValueError, match=r"f\.png has 2,000 pixels, .* 16×16; pass --masks FOLDER"):
        cut_images(records, CELLS, [], None)


def test_tiles_are_cut_of_any_image_and_masks_are_of_no_use_to_them(folder):
    root, records = folder
    tiles = Tiles(Scenes([]), 20)
    assert len(cut_images(records, tiles, [], None).records) == 2 * 3
    with pytest.raises(ValueError, match="trained on images, not on cells"):
        cut_images(records, tiles, [], root / "masks")


def test_whole_images_stay_whole(folder):
    _, records = folder
    for data in (None, Scenes([])):
        assert cut_images(records, data, [], None).records == tuple(records)


def test_a_key_names_the_cell_and_changes_with_the_image_and_with_the_mask(folder):
    root, records = folder
    image, mask = records[0].path, root / "masks" / "f.tif"
    os.utime(image, ns=(5, 50))
    os.utime(mask, ns=(7, 70))
    cells = cut_images(records, CELLS, [], root / "masks").records
    assert [key_of_record(cell) for cell in cells] == [
        (f"{image}#cell3", "70"), (f"{image}#cell6", "70")
    ]  # fmt: skip
    os.utime(image, ns=(9, 90))
    assert key_of_record(cells[0]) == (f"{image}#cell3", "90")
    assert key_of_record(records[0]) == (str(image), "90")
    image.unlink()
    assert key_of_record(records[0]) == (str(image), "")
