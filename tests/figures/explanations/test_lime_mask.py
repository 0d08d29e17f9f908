import itertools

import numpy as np
import pytest
from lime.lime_image import ImageExplanation

from cellxai.figures.explanations.lime_mask import LimeMask, choose_superpixels, image_and_mask

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.random((12, 16, 3))
SUPERPIXELS = np.arange(12)[:, None] // 4 * 4 + np.arange(16)[None] // 4
COEFFICIENTS = GENERATOR.normal(size=12)

OPTIONS = [
    {"positive_only": positive, "negative_only": negative, "hide_rest": hidden,
     "num_features": n, "min_weight": least}
    for positive, negative, hidden, n, least in itertools.product(
        [True, False], [True, False], [True, False], [1, 4, 100], [0.0, 0.4, 9.0]
    )
    if not (positive and negative)
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_image_and_mask_are_the_packages(options):
    package = ImageExplanation(IMAGE, SUPERPIXELS)
    strongest = sorted(enumerate(COEFFICIENTS), key=lambda pair: abs(pair[1]), reverse=True)
    package.local_exp[0] = strongest
    expected_image, expected_mask = package.get_image_and_mask(0, **options)
    image, mask = image_and_mask(IMAGE, SUPERPIXELS, COEFFICIENTS, LimeMask(**options))
    np.testing.assert_array_equal(image, expected_image)
    np.testing.assert_array_equal(mask, expected_mask)


def test_the_image_itself_is_not_written_into():
    before = IMAGE.copy()
    image_and_mask(IMAGE, SUPERPIXELS, COEFFICIENTS, LimeMask(positive_only=False))
    np.testing.assert_array_equal(IMAGE, before)


def test_padding_is_no_superpixel():
    padded = np.array([0.1, np.nan, -0.3, np.nan])
    assert choose_superpixels(padded, LimeMask(positive_only=False)) == [2, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"negative_only": True}, "pass mask.positive_only=false"),
        ({"num_features": 0}, "mask.num_features=0"),
        ({"min_weight": -0.1}, "mask.min_weight=-0.1"),
        ({"min_weight": float("nan")}, "mask.min_weight=nan"),
    ],
)
def test_options_that_contradict_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LimeMask(**options)
