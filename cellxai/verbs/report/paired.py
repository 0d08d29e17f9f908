"""Whether one run is right more often than another: on the same images, where they share any."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cellxai.evaluation.comparison import compare_pairs, compare_shares
from cellxai.intervals import interval_of_share
from cellxai.report.printed_numbers import decimal, percent
from cellxai.report.saved_files import read_rows
from cellxai.report.several.runs import RunResults


def compare_accuracy(first: RunResults, other: RunResults) -> str:
    """A sentence with the test; which one it is depends on whether they judged the same images."""
    right = [judged_images(run) for run in (first, other)]
    if not all(right):
        return f"{other.name}: not compared, since `cellxai evaluate` was not called of both."
    common = sorted(right[0].keys() & right[1].keys())
    if common and first.fingerprint and first.fingerprint == other.fingerprint:
        own, others = (np.array([of_run[key] for key in common]) for of_run in right)
        compared = compare_pairs(own, others, np.arange(len(common)))
        return f"{other.name}: {describe_pairs(compared, first.name)}"
    own, others = (np.array(list(of_run.values())) for of_run in right)
    intervals = [interval_of_share(float(each.mean()), float(len(each))) for each in (own, others)]
    compared = compare_shares(
        float(own.mean()), intervals[0], float(others.mean()), intervals[1], len(others)
    )
    return f"{other.name}: {describe_shares(compared, first.name)}"


def judged_images(run: RunResults) -> Mapping[tuple[str, str], bool]:
    """Whether each image of the judged part is right, by id and label; empty where none is."""
    content, predictions = run.sections["evaluation"].content, "predictions.csv"
    if not content or content.problem:
        return {}
    return {
        (row["id"], row["label"]): row["label"] == row["predicted"]
        for row in read_rows(run.folder.evaluation / predictions)
        if row["part"] == content.parts[0].name
    }


def describe_pairs(compared: Mapping[str, Any], first: str) -> str:
    """What McNemar's test says."""
    alone, there = compared["right_here_alone"], compared["right_in_run_alone"]
    return (
        f"on {compared['n_images']} images that both judged, {percent(compared['accuracy'])} right "
        f"against {percent(compared['accuracy_of_run'])} of {first}; {alone} are right here alone "
        f"and {there} there alone (exact McNemar test, {describe_p(compared['p_value'])})."
    )


def describe_shares(compared: Mapping[str, Any], first: str) -> str:
    """What Newcombe's interval of the difference says."""
    low, high = compared["interval"]
    points = [decimal(100 * share, 1) for share in (compared["difference"], low, high)]
    return (
        f"judged on other images than {first}; the accuracies differ by {points[0]} points "
        f"(95 % interval {points[1]} to {points[2]}, "
        f"{'which leaves out' if low > 0 or high < 0 else 'which includes'} no difference)."
    )


def describe_p(p: float) -> str:
    """``p = 0.27: no difference is shown``."""
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"{shown}: {'a difference' if p < 0.05 else 'no difference'} is shown"
