"""Fractions brought to 8 bits by the rules for 16."""

import numpy as np
import pytest

from cellxai.data.formats.faults import ImageFault
from cellxai.data.pixels.sixteen_bit import to_8_bits

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 4096, (30, 40), dtype=np.uint16)


@pytest.mark.parametrize(
    ("rule", "full_scale"), [("percentile", 1), ("full", 4095), ("full", 65535)]
)
@pytest.mark.parametrize("pixels", [DEEP, np.dstack([DEEP] * 5), DEEP * 0 + 7])
def test_whole_numbers_come_out_as_the_same_image_of_16_bits(rule, full_scale, pixels):
    expected = to_8_bits(pixels, rule, (0.1, 99.9), full_scale)
    result = to_8_bits(pixels.astype(np.float32), rule, (0.1, 99.9), full_scale)
    np.testing.assert_array_equal(result, expected)


def test_the_unit_of_the_fractions_does_not_matter_to_percentiles():
    fractions = RNG.normal(size=(30, 40)).astype(np.float32)
    result = to_8_bits(fractions, "percentile", (1.0, 99.0), 1)
    for scale, shift in ((2.0**-12, 0.0), (2.0**10, 0.0)):
        other = (fractions * np.float32(scale) + np.float32(shift)).astype(np.float32)
        np.testing.assert_array_equal(to_8_bits(other, "percentile", (1.0, 99.0), 1), result)
    assert (result.min(), result.max()) == (0, 255)


def test_a_full_scale_of_1_takes_fractions_to_all_levels():
    levels = (np.arange(256, dtype=np.float32) / 255).reshape(16, 16)
    result = to_8_bits(levels, "full", (0.1, 99.9), 1)
    np.testing.assert_array_equal(result, np.arange(256).reshape(16, 16))


@pytest.mark.parametrize(
    ("value", "rule", "words"),
    [(-0.5, "full", "not within 0 to full_scale=1"), (1.5, "full", "not within 0"),
     (0.5, "refuse", "floating-point pixels, and sixteen_bit=refuse")],
)  # fmt: skip
def test_what_would_be_cut_off_is_refused(value, rule, words):
    with pytest.raises(ImageFault, match=words):
        to_8_bits(np.full((3, 4), value, np.float32), rule, (0.1, 99.9), 1)
