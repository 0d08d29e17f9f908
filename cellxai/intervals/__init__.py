"""Intervals that cover, in one place: of means, medians, shares, areas, and of differences."""

from cellxai.intervals.definition import DEFINITION
from cellxai.intervals.differences import difference_interval, paired_difference_interval
from cellxai.intervals.level import LEVEL, Interval
from cellxai.intervals.means import mean_interval
from cellxai.intervals.medians import median_interval
from cellxai.intervals.resampling import resampled_intervals
from cellxai.intervals.shares import grouped_share_interval, interval_of_share, share_interval

__all__ = [
    "DEFINITION",
    "LEVEL",
    "Interval",
    "difference_interval",
    "grouped_share_interval",
    "interval_of_share",
    "mean_interval",
    "median_interval",
    "paired_difference_interval",
    "resampled_intervals",
    "share_interval",
]
