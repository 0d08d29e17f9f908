import numpy as np
import pytest
from PIL import Image

from cellxai.data.image_formats import ImageFault
from cellxai.data.masks.label_maps import read_mask
from cellxai.data.readers.folder import ImageFolder


def test_sub_folders_are_classes_and_suffixes_have_no_case(tmp_path, write_image):
    write_image(tmp_path / "b" / "2.PNG")
    write_image(tmp_path / "a" / "1.tif")
    write_image(tmp_path / "a" / "0.JPG")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / ".hidden.png").write_text("no image")
    scan = ImageFolder(tmp_path).scan()
    expected = [("a__0", "a"), ("a__1", "a"), ("b__2", "b")]
    assert [(record.id, record.label) for record in scan.records] == expected
    assert scan.faults == ()
    assert list(map(str, scan.notes)) == [f"{tmp_path}: files passed over: 1 of .txt"]


def test_images_in_deeper_folders_and_of_other_suffixes_are_faults(tmp_path, write_image):
    for name in ("a/1.png", "b/1.png", "b/day1/deep/2.png", "b/day1/deep/3.png", "a/plate/4.tif"):
        write_image(tmp_path / name)
    for name in ("a/scan.nd2", "b/photo.webp", "b/photo2.WEBP"):
        (tmp_path / name).write_bytes(b"x")
    scan = ImageFolder(tmp_path).scan()
    assert [record.id for record in scan.records] == ["a__1", "b__1"]
    lines = list(map(str, scan.faults))
    assert lines[0].startswith(f"{tmp_path}/a/plate: 1 image(s) deeper than")
    assert lines[1].startswith(f"{tmp_path}/b/day1/deep: 2 image(s) deeper than")
    assert lines[2].startswith(f"{tmp_path}: 1 file(s) of .nd2 are not read")
    assert lines[3].startswith(f"{tmp_path}: 2 file(s) of .webp are not read")
    assert len(lines) == 4


def test_images_below_a_folder_of_one_class_are_faults_too(tmp_path, write_image):
    write_image(tmp_path / "1.png")
    write_image(tmp_path / "x" / "y" / "2.png")
    scan = ImageFolder(tmp_path).scan()
    assert [str(fault)[: len(str(tmp_path)) + 4] for fault in scan.faults] == [f"{tmp_path}/x/y"]


def test_a_folder_without_sub_folders_is_one_class_of_its_name(tmp_path, write_image):
    write_image(tmp_path / "cort" / "1.png")
    scan = ImageFolder(tmp_path / "cort").scan()
    assert [(record.id, record.label) for record in scan.records] == [("cort__1", "cort")]


def test_ids_are_unique_though_names_are_not(tmp_path, write_image):
    for name in ("a/x.png", "a/x.jpg", "b/x.png"):
        write_image(tmp_path / name)
    ids = [record.id for record in ImageFolder(tmp_path).scan().records]
    assert len(set(ids)) == 3


def test_masks_are_found_by_name_whatever_their_suffix(tmp_path, write_image):
    write_image(tmp_path / "images" / "a" / "1.jpg")
    write_image(tmp_path / "images" / "a" / "2.png")
    labels = np.arange(12 * 16, dtype=np.uint16).reshape(12, 16)
    (tmp_path / "masks" / "a").mkdir(parents=True)
    Image.fromarray(labels).save(tmp_path / "masks" / "a" / "1.tif")
    first, second = ImageFolder(tmp_path / "images", tmp_path / "masks").scan().records
    np.testing.assert_array_equal(first.load_mask(), labels)
    assert second.load_mask is None


def test_empty_classes_and_images_beside_the_classes_are_faults(tmp_path, write_image):
    write_image(tmp_path / "a" / "1.png")
    write_image(tmp_path / "stray.png")
    (tmp_path / "empty").mkdir()
    scan = ImageFolder(tmp_path).scan()
    assert [record.id for record in scan.records] == ["a__1"]
    assert [fault.where for fault in scan.faults] == [
        str(tmp_path / "empty"),
        str(tmp_path / "stray.png"),
    ]


def test_an_empty_folder_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no images, expected <class>/<name>.*convert"):
        ImageFolder(tmp_path).scan()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        ImageFolder(tmp_path / "gone").scan()


def test_images_that_lie_too_deep_are_pointed_at(tmp_path, write_image):
    write_image(tmp_path / "train" / "a" / "1.png")
    with pytest.raises(FileNotFoundError, match=f"pass root={tmp_path / 'train'}"):
        ImageFolder(tmp_path).scan()


def test_real_frames_find_their_16_bit_masks(shared_data):
    folder = shared_data / "phc_u373"
    scan = ImageFolder(folder / "images", folder / "masks_silver").scan()
    assert len(scan.records) == 37
    assert scan.classes == ("images",)
    assert scan.records[0].load_mask().max() > 0


class TestMasksOfCellpose:
    @pytest.fixture
    def images(self, tmp_path, write_image):
        for label in "ab":
            write_image(tmp_path / label / "1.png")
            write_image(tmp_path / label / "1_cp_masks.png", seed=1)
        return tmp_path

    def test_beside_the_images_are_masks_and_no_images(self, images):
        records = ImageFolder(images, masks=images).scan().records
        assert [record.id for record in records] == ["a__1", "b__1"]
        for record in records:
            expected = read_mask(record.path.with_name("1_cp_masks.png"))
            np.testing.assert_array_equal(record.load_mask(), expected)

    def test_are_images_where_no_masks_are_asked_for(self, images):
        assert len(ImageFolder(images).scan().records) == 4

    def test_as_a_pickle_are_refused_with_the_way_out(self, images):
        (images / "a" / "1_cp_masks.png").rename(images / "a" / "1_seg.npy")
        record = ImageFolder(images, masks=images).scan().records[0]
        with pytest.raises(ImageFault, match=r"1_seg\.npy: cellpose's _seg\.npy is a pickle"):
            record.load_mask()
