"""Sheets of scored images."""

import numpy as np
import pytest
from PIL import Image

from cellxai.figures.density.sheet import LETTERS, ScoredImage, draw_scored_images

GREY, COLOUR = np.zeros((8, 9)), np.ones((20, 10, 3))
BYTES = np.full((5, 5), 200, np.uint8)


def scored(image: np.ndarray, name: str = "a", flagged: bool | None = None) -> ScoredImage:
    return ScoredImage(image, name, "test", -7.3e7, flagged, "error 0.01")


def test_a_caption_says_the_verdict_in_words_and_keeps_its_length():
    lines = scored(GREY, "plate/" + "x" * 80, flagged=True).caption_lines()
    assert lines[0] == "−7.3·10⁷ nats: unfamiliar"
    assert lines[2:] == ["test", "error 0.01"]
    assert max(map(len, lines)) == LETTERS
    assert "unfamiliar" not in scored(GREY, flagged=False).caption_lines()[0]


def test_images_of_any_size_and_kind_share_a_sheet(tmp_path):
    images = [scored(image, flagged=True) for image in (GREY, COLOUR, BYTES)] * 3
    draw_scored_images({"least typical": images}, tmp_path / "one.png")
    draw_scored_images({"a": images, "none": [], "b": images}, tmp_path / "two.png", "both")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert one.width == two.width > 600
        assert two.height > 2 * one.height - 20


def test_a_grey_image_keeps_its_greys(tmp_path):
    draw_scored_images({"": [scored(BYTES)]}, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert (np.asarray(picture.convert("L")) == 200).sum() > 10_000


def test_nothing_to_draw_is_an_error_that_names_the_picture(tmp_path):
    with pytest.raises(ValueError, match=r"s\.png: no image"):
        draw_scored_images({"least typical": []}, tmp_path / "s.png")
