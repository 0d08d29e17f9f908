import numpy as np
import pytest
from PIL import Image
from written_tiff import write_tiff

from cellxai.data.image_formats import ImageFault
from cellxai.data.masks.label_maps import draw_label_map, mask_loader, read_mask

GREY = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)


def test_masks_keep_16_bit_labels_and_palette_indices(tmp_path):
    labels = GREY.astype(np.uint16) * 300
    Image.fromarray(labels).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "deep.png"), labels)
    palette = Image.fromarray(GREY % 4, mode="P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "palette.png"), GREY % 4)


@pytest.mark.parametrize("labels", [[0, 7, 70_000], [0, 1, 2**31 - 1]])
@pytest.mark.parametrize("kind", [np.int32, np.uint32])
def test_labels_of_32_bits_are_read_as_they_are(tmp_path, labels, kind):
    labels = np.resize(np.array(labels, dtype=kind), (3, 4))
    write_tiff(tmp_path / "m.tif", labels[..., None], 1, ())
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif"), labels)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.array([0, -1], dtype=np.int8), "a label below 0"),
        (np.array([0, -1], dtype=np.int16), "a label below 0"),
        (np.array([0, -1], dtype=np.int32), "a label below 0"),
        (np.array([0, 2**31], dtype=np.uint32), "a label below 0 or above 2147483647"),
        (np.array([0, 1], dtype=np.float32), "a mask of fractions"),
        (np.array([0, 1], dtype=np.int64), "corrupt|64 bits|no image"),
    ],
)
def test_what_is_no_label_is_refused(tmp_path, labels, reason):
    write_tiff(tmp_path / "m.tif", labels[None, :, None], 1, ())
    with pytest.raises(ImageFault, match=rf"m\.tif.*({reason})"):
        read_mask(tmp_path / "m.tif")


def test_a_mask_in_colour_is_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.stack([GREY] * 3, axis=-1)).save(path)
    with pytest.raises(ImageFault, match=r"mask\.png.*expected one plane"):
        read_mask(path)


def test_a_loader_reads_when_it_is_called(tmp_path):
    load = mask_loader(tmp_path / "mask.png")
    Image.fromarray(GREY).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(load(), GREY)


def test_objects_are_drawn_in_their_order_the_later_on_top():
    objects = [np.array([0, 1, 2]), np.array([], dtype=np.int64), np.array([2, 5])]
    assert draw_label_map(objects, (2, 3)).tolist() == [[1, 1, 3], [0, 0, 3]]
