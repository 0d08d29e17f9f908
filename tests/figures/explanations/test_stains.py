import numpy as np
import pytest
from PIL import Image

from cellxai.figures.explanations.stains import StainMaps, brighten, draw_stain_maps


def stains(n_planes=3, **changed):
    rng = np.random.default_rng(0)
    names = ["LIME", "Saliency"]
    arguments = {
        "title": "x", "planes": [f"stain {k}" for k in range(n_planes)],
        "image": rng.random((16, 20, n_planes)),
        "maps": {name: rng.normal(size=(n_planes, 16, 20)) for name in names},
        "shares": {name: [1 / n_planes] * n_planes for name in names},
    }  # fmt: skip
    return StainMaps(**arguments | changed)


@pytest.mark.parametrize("n_planes", [2, 5])
def test_there_is_a_row_for_the_image_and_each_explainer(tmp_path, n_planes):
    draw_stain_maps(stains(n_planes), tmp_path / "two.png")
    one = stains(n_planes)
    first = {"LIME": one.maps["LIME"]}
    draw_stain_maps(stains(n_planes, maps=first), tmp_path / "one.png")
    heights = [Image.open(tmp_path / f"{name}.png").height for name in ("one", "two")]
    assert heights[1] > 1.3 * heights[0]


def test_planes_of_an_explainer_share_a_scale(tmp_path):
    """A plane of weak evidence is pale beside a strong one."""
    maps = np.zeros((2, 16, 20))
    maps[0], maps[1] = 1.0, 0.02
    flat = stains(2, image=np.full((16, 20, 2), 0.5), maps={"LIME": maps})
    draw_stain_maps(flat, tmp_path / "a.png")
    colours = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    green = colours[..., 1] - colours[..., 0]
    left, right = np.array_split(green, 2, axis=1)
    lower = slice(len(green) // 2, int(0.8 * len(green)))
    assert np.percentile(left[lower], 90) > 5 * max(np.percentile(right[lower], 90), 1)


def test_causes_and_missing_evidence_are_no_crash(tmp_path):
    causes = np.zeros((3, 16, 20), bool)
    causes[1, 4:8, 4:8] = True
    shares = {"LIME": [None] * 3, "Saliency": [0.2, 0.3, 0.5]}
    draw_stain_maps(
        stains(causes=causes, shares=shares, meanings={"Saliency": "no direction"}),
        tmp_path / "a.png",
    )
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_a_plane_is_shown_from_its_darkest_to_its_brightest_level():
    plane = np.linspace(0.2, 0.3, 400).reshape(20, 20)
    shown = brighten(plane)
    assert (shown.min(), shown.max()) == (0, 1)
    assert (brighten(np.full((4, 4), 0.3)) == 0).all()
