import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from PIL import Image

from cellxai.figures.style import DPI, drawing, picture_axes, shorten


def test_a_picture_has_its_size_and_leaves_no_style_behind(tmp_path):
    before = dict(rcParams)
    with drawing(tmp_path / "a.png", 3.0, 2.0) as figure:
        figure.subplots().plot([0, 1], label="$name")
        assert not rcParams["text.parse_math"]
    assert dict(rcParams) == before
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (3 * DPI, 2 * DPI)


def test_a_drawing_that_fails_leaves_the_picture_of_before(tmp_path):
    (tmp_path / "a.png").write_bytes(b"before")

    def fail() -> None:
        with drawing(tmp_path / "a.png", 3.0, 2.0):
            raise ValueError("no number")

    with pytest.raises(ValueError, match="no number"):
        fail()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_a_frame_for_a_picture_has_neither_ticks_nor_spines():
    axes = picture_axes(Figure().subplots(), "A title")
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0
    assert not any(spine.get_visible() for spine in axes.spines.values())
    assert "A title" in {axes.get_title(loc) for loc in ("left", "center")}


@pytest.mark.parametrize(
    ("name", "shown"), [("short", "short"), ("x" * 18, "x" * 18), ("x" * 19, "x" * 17 + "…")]
)
def test_a_long_name_is_cut_to_what_fits(name, shown):
    assert shorten(name) == shown
