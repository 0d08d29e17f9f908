"""What the network sees."""

import numpy as np
from matplotlib.colors import to_rgba

from cellxai.figures.colours import PREPARED_CELL_OUTLINE
from cellxai.figures.dataset.batch import BatchRow, draw_batch


def test_each_image_stands_as_stored_prepared_and_augmented_with_its_cells_outlined(
    tmp_path, drawn
):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 1), dtype=np.uint8)
    mask = np.zeros((12, 16), int)
    mask[2:5, 2:6] = 1
    row = BatchRow("a", "i", pixels[..., 0], pixels, [pixels // 2, pixels // 4], mask)
    draw_batch([row], tmp_path / "batch.png", "crop, flip")
    shown = [np.asarray(axes.images[0].get_array()) for axes in drawn.panels]
    for picture, expected in zip(shown, (1, 1, 2, 4), strict=True):
        np.testing.assert_array_equal(picture, pixels[..., 0] // expected)
    assert [len(axes.collections) for axes in drawn.panels] == [0, 1, 0, 0]
    (outlines,) = drawn.panels[1].collections
    assert len(outlines.get_segments()) == 2 * (3 + 4)
    assert outlines.get_edgecolor()[0].tolist() == list(to_rgba(PREPARED_CELL_OUTLINE))
    assert {"crop, flip", "training, epoch 1", "prepared, cells outlined"} <= set(drawn.texts)
