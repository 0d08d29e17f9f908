import numpy as np
import pytest
from scipy.stats import wilcoxon

from cellxai.explain.results.signed_rank import signed_rank_p
from cellxai.explain.results.significance import (
    beat_controls,
    holm,
    mean_over_images,
    paired_tests,
)
from cellxai.intervals import mean_interval, share_interval


def test_the_mean_comes_with_the_interval_of_a_mean():
    scores = np.random.default_rng(0).gamma(2.0, size=20)
    ours = mean_over_images(scores)
    assert ours.mean == pytest.approx(scores.mean())
    assert (ours.low, ours.high) == mean_interval(np.sort(scores))


def test_equal_scores_have_no_interval_unless_they_are_all_hits():
    assert np.isnan(mean_over_images(np.full(20, 0.3), 0.0, 1.0).low)
    hits = mean_over_images(np.ones(20), 0.0, 1.0)
    assert (hits.low, hits.high) == share_interval(20, 20)


def test_the_same_scores_give_the_same_interval():
    scores = np.arange(10.0)
    assert mean_over_images(scores) == mean_over_images(scores)


def test_the_order_of_the_images_changes_nothing():
    scores = np.random.default_rng(0).gamma(2.0, size=17)
    assert mean_over_images(scores[::-1]) == mean_over_images(scores)


def test_images_without_a_score_are_left_out_of_mean_and_count():
    interval = mean_over_images(np.array([1.0, np.nan, 3.0]))
    assert (interval.mean, interval.n) == (2.0, 2)


def test_one_image_has_a_mean_but_no_interval_and_none_has_neither():
    single, none = mean_over_images(np.array([4.0])), mean_over_images(np.array([np.nan]))
    assert (single.mean, single.n) == (4.0, 1)
    assert np.isnan([single.low, single.high, none.mean, none.low, none.high]).all()
    assert none.n == 0


def test_holm_corrects_a_textbook_example():
    corrected = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


def test_every_pair_is_tested_on_the_images_both_were_judged_on():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=20), rng.normal(size=20) + 1
    holed = a.copy()
    holed[:3] = np.nan
    there = np.ones(20, dtype=bool)
    judged = {"a": ~np.isnan(holed), "b": there, "c": there}
    tests = paired_tests({"a": holed, "b": b, "c": holed}, judged=judged)
    assert [(test.first, test.second) for test in tests] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert tests[0].n == 17
    assert tests[0].p == pytest.approx(wilcoxon(a[3:], b[3:]).pvalue)
    assert tests[0].median_difference == pytest.approx(np.median(a[3:] - b[3:]))
    assert tests[0].p_holm >= tests[0].p


def test_methods_that_never_differ_or_never_meet_are_not_told_apart():
    nan = np.full(5, np.nan)
    same, apart = (
        paired_tests({"a": np.arange(5.0), "b": np.arange(5.0)}),
        paired_tests({"a": nan, "b": nan}),
    )
    assert (same[0].p, same[0].n) == (1.0, 5)
    assert (apart[0].p, apart[0].n) == (1.0, 0)


@pytest.mark.parametrize(("direction", "sign"), [("higher", 1), ("lower", -1)])
def test_who_fails_where_the_other_has_a_score_has_lost_that_pair(direction, sign):
    rng = np.random.default_rng(0)
    a = sign * rng.normal(size=20)
    b = a - sign * rng.uniform(0.1, 1, 20)  # always worse
    holed = a.copy()
    holed[:15] = np.nan
    (whole,), (failing,) = (
        paired_tests(dict(zip("ab", pair, strict=True)), direction) for pair in ((a, b), (holed, b))
    )
    assert (whole.n, failing.n) == (20, 20)
    lead = sign * (holed - b)
    lead[:15] = -1e9  # lost, by more than anything that was measured
    assert failing.p == pytest.approx(signed_rank_p(lead))
    assert failing.p < 0.01  # and not, as on the 5 images that both have, 0.06 for the other side
    assert failing.median_difference == pytest.approx(np.median((holed - b)[15:]))
    assert failing.ahead == "b"  # though a is better on the images that both have
    (both,) = paired_tests({"a": holed, "b": holed - sign}, direction)
    assert both.n == 5  # where both fail nothing is compared


def against_controls(n: int) -> dict[str, np.ndarray]:
    """One method far above two controls, one between them, one like the better of them."""
    rng = np.random.default_rng(1)
    base = rng.normal(size=n)
    gains = {"good": 5.0, "between": 1.0, "like": 2.0, "low": 0.0, "high": 2.0}
    return {name: base + gain + 0.1 * rng.normal(size=n) for name, gain in gains.items()}


def test_to_beat_the_controls_is_to_beat_the_hardest_of_them_corrected_for_the_methods():
    scores = against_controls(20)
    actual = beat_controls(scores, ["low", "high"], "higher")
    assert {name: verdict.answer for name, verdict in actual.items()} == {
        "good": "yes", "between": "no", "like": "no",
    }  # fmt: skip
    by_hand = [
        max(wilcoxon(scores[name] - scores[control], alternative="greater").pvalue
            for control in ("low", "high"))
        for name in ("good", "between", "like")
    ]  # fmt: skip
    assert [verdict.p for verdict in actual.values()] == pytest.approx(by_hand)
    assert [verdict.p_holm for verdict in actual.values()] == pytest.approx(
        holm(np.array(by_hand)).tolist()
    )


def test_where_lower_is_better_the_verdicts_are_those_of_the_negative():
    scores = against_controls(20)
    negative = {name: -values for name, values in scores.items()}
    higher = beat_controls(scores, ["low", "high"], "higher")
    assert beat_controls(negative, ["low", "high"], "lower") == higher


def test_so_few_images_that_nobody_could_win_are_no_defeat():
    few = beat_controls(against_controls(5), ["low", "high"], "higher")
    assert few["good"].p == 2.0**-5  # it won on all of them; corrected for three methods, 0.09
    assert {verdict.answer for verdict in few.values()} == {"untestable"}
    assert beat_controls(against_controls(20), [], "higher")["good"].answer == "untestable"


def test_a_method_without_a_score_has_lost_that_image_and_a_control_without_one_has_none():
    scores = against_controls(20)
    scores["good"][:4] = np.nan
    scores["low"][:] = np.nan
    actual = beat_controls(scores, ["low", "high"], "higher")["good"]
    lead = scores["good"] - scores["high"]
    lead[:4] = -1e9
    assert (actual.answer, actual.n) == ("no", 20)
    assert actual.p == pytest.approx(wilcoxon(lead, alternative="greater").pvalue, rel=0.05)
    scores["high"][:4] = np.nan
    assert beat_controls(scores, ["low", "high"], "higher")["good"].n == 16


def test_what_was_not_computed_yet_is_no_defeat():
    scores = against_controls(20)
    scores["good"][:4] = np.nan
    judged = {name: ~np.isnan(values) for name, values in scores.items()}
    actual = beat_controls(scores, ["low", "high"], "higher", judged=judged)
    assert (actual["good"].answer, actual["good"].n) == ("yes", 16)


FAILURES = {
    "never": lambda method, control, rng: (method, control),
    "where it would lose": lambda method, control, rng: (
        np.where(method < control, np.nan, method), control,
    ),
    "by chance": lambda method, control, rng: tuple(
        np.where(rng.random(len(x)) < 0.3, np.nan, x) for x in (method, control)
    ),
    "the control, by chance": lambda method, control, rng: (
        method, np.where(rng.random(len(control)) < 0.4, np.nan, control),
    ),
    "ties": lambda method, control, rng: (method.round(), control.round()),
    "hits and failures": lambda method, control, rng: (
        np.where(rng.random(len(method)) < 0.2, np.nan, np.sign(method)), np.sign(control),
    ),
}  # fmt: skip


PAIRS = {
    "never": lambda a, b, rng: (a, b),
    "by chance": FAILURES["by chance"],
    "both where they would lose": lambda a, b, rng: (
        np.where(a < b - 0.5, np.nan, a), np.where(b < a - 0.5, np.nan, b),
    ),
    "on the same images": lambda a, b, rng: tuple(
        np.where(hard, np.nan, x) for hard in [rng.random(len(a)) < 0.4] for x in (a, b)
    ),
    "ties": lambda a, b, rng: (a.round(), b.round()),
    "hits and failures": lambda a, b, rng: tuple(
        np.where(rng.random(len(x)) < 0.2, np.nan, np.sign(x)) for x in (a, b)
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("failures", PAIRS)
def test_two_methods_alike_differ_at_most_at_the_level(failures, missing):
    """Three methods alike: any pair after Holm; NaN, ties and rows that are not there included."""
    rng = np.random.default_rng(11)
    n_tables, wrong = 1000, 0
    for _ in range(n_tables):
        a, b = PAIRS[failures](rng.normal(size=21), rng.normal(size=21), rng)
        _, c = PAIRS[failures](rng.normal(size=21), rng.normal(size=21), rng)
        judged = {name: rng.random(21) >= missing for name in "abc"}
        scores = {
            name: np.where(judged[name], values, np.nan)
            for name, values in zip("abc", (a, b, c), strict=True)
        }
        wrong += min(test.p_holm for test in paired_tests(scores, "lower", judged)) <= 0.05
    assert wrong / n_tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_tables)


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("failures", FAILURES)
def test_of_several_methods_against_several_controls_none_wins_by_chance(failures, missing):
    """Three methods, two controls: any "yes" in a table counts once."""
    rng = np.random.default_rng(3)
    n_tables, wins = 1000, 0
    names = ("first", "second", "third", "low", "high")
    for _ in range(n_tables):
        values = {name: rng.normal(size=21) for name in names}
        for method in names[:3]:
            values[method], _ = FAILURES[failures](values[method], values["high"], rng)
        _, values["low"] = FAILURES[failures](values["first"], values["low"], rng)
        judged = {name: rng.random(21) >= missing for name in names}
        scores = {name: np.where(judged[name], values[name], np.nan) for name in names}
        verdicts = beat_controls(scores, ["low", "high"], "higher", judged=judged)
        wins += any(verdict.answer == "yes" for verdict in verdicts.values())
    assert wins / n_tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_tables)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("failures", FAILURES)
def test_who_knows_nothing_beats_the_controls_at_most_at_the_level(failures, missing):
    rng = np.random.default_rng(7)
    n_tables, wins = 400, 0
    for _ in range(n_tables):
        pair = FAILURES[failures](rng.normal(size=21), rng.normal(size=21), rng)
        judged = {name: rng.random(21) >= missing for name in "mc"}
        scores = {
            name: np.where(judged[name], values, np.nan)
            for name, values in zip("mc", pair, strict=True)
        }
        wins += beat_controls(scores, ["c"], "higher", judged=judged)["m"].answer == "yes"
    assert wins / n_tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_tables)
