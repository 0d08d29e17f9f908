from pathlib import Path

import numpy as np
import pytest

from cellxai.data.records import Record
from cellxai.data.statistics import PixelStatistics
from cellxai.verbs.preview.summaries import group_by_class, share_told_by_spread, summarise


def measured(label: str, *spreads: float, shape: tuple[int, int] = (12, 16)):
    """Images of a class with these standard deviations."""
    return [
        (Record(f"{label}{i}", Path("x"), label), statistics_of(spread, shape))
        for i, spread in enumerate(spreads)
    ]


def statistics_of(spread: float, shape: tuple[int, int]) -> PixelStatistics:
    return PixelStatistics(mean=100 + spread, sd=spread, height=shape[0], width=shape[1])


def test_classes_are_in_alphabetical_order_with_their_images_in_their_own():
    images = [*measured("b", 1.0, 2.0), *measured("a", 3.0), *measured("b", 4.0)]
    groups = group_by_class(images)
    assert list(groups) == ["a", "b"]
    assert [statistics.sd for _, statistics in groups["b"]] == [1.0, 2.0, 4.0]


def test_means_and_spread_are_over_the_images():
    summary = summarise("a", measured("a", 4.0, 6.0, 11.0))
    assert (summary.n_images, summary.mean, summary.sd) == (3, 107.0, 7.0)
    assert summary.sd_spread == pytest.approx(np.std([4, 6, 11], ddof=1))
    assert summary.sizes == "12×16"
    assert summarise("a", measured("a", 4.0)).sd_spread == 0


def test_sizes_are_told_from_the_smallest_to_the_largest_area():
    images = [*measured("a", 1.0, shape=(30, 2)), *measured("a", 1.0, shape=(8, 9))]
    assert summarise("a", images).sizes == "30×2 to 8×9"


def test_classes_of_equal_spread_are_not_told_apart_by_it():
    apart = group_by_class([*measured("a", 1.0, 2.0, 3.0), *measured("b", 9.0, 10.0, 11.0)])
    assert share_told_by_spread(apart) == 1.0
    alike = group_by_class([*measured("a", 1.0, 9.0, 5.0), *measured("b", 1.0, 9.0, 5.0)])
    assert share_told_by_spread(alike) <= 0.5
