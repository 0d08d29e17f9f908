"""What the density found, in one sentence."""

from cellxai.report.density.finding import ImageSet, describe_finding, make_card
from cellxai.report.density.threshold import MeasuredThreshold, Promise

TEST = ImageSet("test", 72, 2 / 72, -2.0, None, "tones", "light")
BLURRED = ImageSet("blurred", 20, 0.95, -9.0, 0.995, "blocks.0", "focus")
OTHERS = ImageSet("photographs", 30, 1.0, -40.0, 1.0, "pixels", "")


def promise(share: float, low: float, high: float) -> Promise:
    row = MeasuredThreshold(0.04, share, (low, high), 72)
    return Promise((row,), row, None)


def test_the_sentence_says_what_was_asked_what_was_found_and_by_which_view():
    sentence = describe_finding([TEST, BLURRED, OTHERS], 0.04, promise(0.028, 0.008, 0.096))
    assert sentence == (
        "Asked to flag 4 % of known images, it flags 2.8 % of 72 that had no say (95 % interval "
        "0.8 % to 9.6 %), as promised; of images that it should not know, it flags 95.0 % of "
        "blurred (AUROC 0.995), found by blocks.0 (focus), and 100.0 % of photographs (AUROC "
        "1.000), found by pixels."
    )


def test_a_broken_promise_and_untried_strangers_are_said():
    sentence = describe_finding([TEST], 0.005, promise(0.3, 0.2, 0.4))
    assert sentence.startswith("Asked to flag 0.5 % of known images, it flags 30.0 % of 72")
    broken = describe_finding([TEST], 0.04, promise(0.3, 0.2, 0.4))
    assert "not what was promised; no image was tried that it should not know" in broken
    assert describe_finding([], 0.04, None) == ""


def test_without_images_that_had_no_say_those_that_say_most_are_counted():
    train = ImageSet("train", 90, 0.04, -2.0, None, "tones", "light")
    sentence = describe_finding([train, TEST], 0.04, None)
    assert sentence.startswith("Asked to flag 4 % of known images, it flags 2.8 % of 72 test")


def test_the_card_counts_strangers_of_all_sets_and_tells_of_warnings():
    card = make_card([TEST, BLURRED, OTHERS], 0.04, promise(0.028, 0.008, 0.096), 2)
    assert card is not None
    assert card.name == "Unfamiliar images found"
    assert card.value == "98.0 %"
    assert card.detail == (
        "49 of 50 that it should not know, found by blocks.0 (focus) and pixels; asked to flag 4 % "
        "of known images, it flags 2.8 % of 72 that had no say (95 % interval 0.8 % to 9.6 %); "
        "2 warnings in the section below"
    )
    alone = make_card([TEST], 0.04, None, 0)
    assert alone is not None
    assert (alone.name, alone.value) == ("Known images flagged", "2.8 %")
    assert make_card([], 0.04, None, 0) is None
