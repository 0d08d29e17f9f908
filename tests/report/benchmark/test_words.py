import math

import pytest

from cellxai.report.benchmark.words import describe_ranking, parse_number, winners_sentence


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (("yes", "no"), "a beats every control, 1 other does not."),
        (("yes", "yes"), "a and b beat every control."),
        (("no", "no"), "no method beats every control."),
        (("no", "untestable"), "no method beats every control; 1 could not be tested."),
        (("untestable", ""),
         "no method could be tested: there are no controls, or too few images."),
    ],
)  # fmt: skip
def test_the_sentence_says_no_more_than_was_found(answers, sentence):
    assert winners_sentence(answers, ("a", "b")) == sentence


def test_many_winners_are_counted():
    names = [f"m{i}" for i in range(9)]
    assert (
        winners_sentence(["yes"] * 9, names)
        == "m0, m1, m2, m3, m4, m5 and 3 more beat every control."
    )


ROW = {"n_images": "9", "n_left_out": "0", "friedman_p": "0.0421", "critical_difference": "2.13"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "over 9 images, Friedman p = 0.042, mean ranks differ beyond 2.1"),
        ({"friedman_p": "0.0004"}, "over 9 images, Friedman p < 0.001, mean ranks differ beyond"),
        ({"n_images": "1", "friedman_p": ""}, "over 1 image"),
        ({"n_left_out": "3"}, "over 9 images (3 more are incomplete), Friedman"),
    ],
)
def test_ranks_are_told_with_their_images_and_their_test(changes, words):
    assert describe_ranking(ROW | changes).startswith(words)


def test_an_empty_cell_is_no_number():
    assert parse_number("0.5") == 0.5
    assert math.isnan(parse_number(""))
