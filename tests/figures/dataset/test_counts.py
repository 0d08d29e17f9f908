"""Images by class."""

from PIL import Image

from cellxai.figures.dataset.counts import draw_counts


def test_counts_grow_with_the_number_of_classes(tmp_path, drawn):
    heights = []
    for name, counts in {"one": {"a": 3}, "many": {f"$class {i}": i for i in range(1, 20)}}.items():
        draw_counts(counts, tmp_path / f"{name}.png")
        (axes,) = drawn.panels
        assert [bar.get_width() for bar in axes.patches] == list(counts.values())
        assert [label.get_text() for label in axes.get_yticklabels()] == list(counts)
        assert f"{sum(counts.values())} images of {len(counts)} classes" in drawn.texts
        with Image.open(tmp_path / f"{name}.png") as picture:
            heights.append(picture.size[1])
    assert heights[1] > 3 * heights[0]
