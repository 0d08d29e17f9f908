import numpy as np

from cellxai.data.masks.rle import encode_rle
from cellxai.data.synthetic import (
    SceneSettings,
    render_image,
)
from cellxai.data.synthetic.write import label_runs


def test_all_masks_encoded_at_once_equal_the_masks_encoded_one_by_one():
    labels = render_image(0, 0, SceneSettings(height=96, width=128)).masks
    expected = {int(k): encode_rle(labels == k) for k in np.unique(labels) if k}
    assert label_runs(labels) == expected
