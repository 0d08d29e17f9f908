"""What ``explain`` gives back, as tables, pictures and files."""

import csv
import json

import matplotlib as mpl
import pytest
import torch
from safetensors import safe_open
from users_models import cnn

from cellxai.explain import explain
from cellxai.explain.lime import Lime
from cellxai.explain.shapley import LeverageShap
from cellxai.explain.superpixels.methods import Grid

pytestmark = pytest.mark.usefixtures("unrendered")


@pytest.fixture(scope="module")
def result():
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    names = {"grad": "saliency", "guided": "guided-backprop", "edge": "edges"}
    return explain(
        cnn(), images, {"LIME": Lime(200), **names}, classes=["<a>", "b", "c", "d"], target="<a>",
        superpixels=Grid(8), names=["first", "second"],
    )  # fmt: skip


def test_the_frame_has_a_row_per_image_and_explainer_with_cost_and_certainty(result):
    frame = result.to_frame()
    assert len(frame) == len(result) == 8
    assert frame["image"] == ["first"] * 4 + ["second"] * 4
    assert {*frame["class"]} == {"<a>"}
    lime = frame.where(image="second", explainer="LIME")[0]
    assert lime["forwards"] == 16  # 4 superpixels have no more than 16 combinations
    assert 0 < lime["surrogate_r2"] <= 1
    gradient = frame.where(explainer="grad")
    assert [(row["forwards"], row["backwards"]) for row in gradient] == [(1, 1)] * 2
    assert all(row["seconds"] > 0 for row in frame)
    assert frame.where(explainer="edge")["forwards"] == [0, 0]


def test_its_text_names_images_explainers_and_certainty(result):
    lines = repr(result).splitlines()
    assert lines[0] == "2 images by LIME, grad, guided, edge"
    assert [line.split()[0] for line in lines[2:10]] == ["first"] * 4 + ["second"] * 4
    assert "R²" in lines[2]


def test_what_estimates_its_error_says_it_in_frame_and_text():
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = explain(cnn(), images, {"shap": LeverageShap(60)}, superpixels=Grid(4))
    (row,) = result.to_frame()
    assert 0 < row["relative_error"] < 1
    assert "error at most 0." in repr(result)


def test_its_page_embeds_a_picture_per_image_and_escapes_names(result):
    page = result._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "&lt;a&gt;" in page
    assert "<a>" not in page


def test_a_figure_leaves_the_settings_of_matplotlib_alone(result):
    before = dict(mpl.rcParams)
    figure = result.figure(1)
    assert figure._suptitle.get_text() == "second; explained: <a>"
    assert [axes.get_title(loc="left") for axes in figure.axes[:5]] == [
        "original", "LIME", "grad", "guided", "edge",
    ]  # fmt: skip
    assert dict(mpl.rcParams) == before


def test_a_folder_gets_the_table_the_maps_and_the_pictures(result, tmp_path):
    folder = result.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in folder.iterdir()) == [
        "000.png", "001.png", "maps.safetensors", "table.csv",
    ]  # fmt: skip
    with safe_open(folder / "maps.safetensors", framework="pt") as file:
        assert torch.equal(file.get_tensor("1/LIME"), result.maps["LIME"][1])
        assert torch.equal(file.get_tensor("0/image"), result.subjects[0].image)
        assert json.loads(file.metadata()["table"])["image"] == result.to_frame()["image"]
    with (folder / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["explainer"] for row in rows[:4]] == ["LIME", "grad", "guided", "edge"]


def test_one_picture_of_several_images_is_refused(result, tmp_path):
    with pytest.raises(ValueError, match="there are 2 images"):
        result.save(tmp_path / "all.png")
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_is_not_there_is_named(result):
    with pytest.raises(IndexError, match="image=2: there are 2"):
        result.figure(2)


@pytest.mark.renders
def test_outside_of_a_notebook_the_viewer_of_the_system_shows_it(result, monkeypatch):
    shown = []
    monkeypatch.setattr("PIL.Image.Image.show", lambda image: shown.append(image.size))
    result.show(0)
    assert len(shown) == 1
    assert shown[0][0] > 300
