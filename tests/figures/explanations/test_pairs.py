"""Chords between superpixels."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from cellxai.figures.colours import NEGATIVE, POSITIVE
from cellxai.figures.explanations.pairs import PairPanels, draw_pairs, strongest_pairs
from cellxai.figures.style import DPI

IMAGE = np.full((24, 32, 3), 0.6)
SUPERPIXELS = np.arange(24)[:, None] // 8 * 4 + np.arange(32)[None] // 8


def panels(pairs) -> PairPanels:
    return PairPanels(IMAGE, SUPERPIXELS, np.zeros(12), pairs, "$x: astro")


def of(values: dict) -> np.ndarray:
    pairs = np.zeros((12, 12))
    for (first, second), value in values.items():
        pairs[first, second] = pairs[second, first] = value
    return pairs


def share_of_colour(path, colour) -> float:
    picture = np.asarray(Image.open(path).convert("RGB")) / 255
    return float((np.abs(picture - to_rgb(colour)).max(-1) < 0.02).mean())


def test_the_strongest_pairs_come_first_and_neither_padding_nor_zeros_nor_the_diagonal():
    pairs = of({(0, 11): -0.9, (3, 4): 0.5, (1, 2): np.nan})
    np.fill_diagonal(pairs, 7.0)
    assert strongest_pairs(pairs, 5) == [(0, 11), (3, 4)]
    assert strongest_pairs(pairs, 1) == [(0, 11)]


def test_a_chord_has_the_colour_of_its_sign(tmp_path):
    for name, value in (("more", 0.8), ("less", -0.8), ("none", 0.0)):
        draw_pairs(panels(of({(0, 11): value})), tmp_path / f"{name}.png")
    green, orange = (
        {name: share_of_colour(tmp_path / f"{name}.png", colour) for name in ("more", "less")}
        for colour in (POSITIVE, NEGATIVE)
    )
    assert green["more"] > 0.001 > green["less"]
    assert orange["less"] > 0.0005 > orange["more"]
    with Image.open(tmp_path / "none.png") as picture:
        assert picture.width == round(9.6 * DPI)
