import csv

import pytest
import torch

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.base import Attribution, attribution_of_planes
from cellxai.explain.lime.lime import Lime
from cellxai.verbs.explain.plane_evidence import plane_entry, plane_rows, summarise, write_planes
from cellxai.verbs.explain.saved_maps import collect_tensors

PLANES = ("nuclei", "actin")


def entry(image, shares, signed=(1.0, -0.5), rank=1):
    lime = {"planes": {"shares": list(shares), "signed": list(signed)}}
    return {
        "id": image, "label": "treated", "explained": "logit of treated", "rank": rank,
        "explainers": {"LIME": lime, "Grad-CAM": {"no_planes": "weighs a layer"}},
    }  # fmt: skip


def test_an_entry_has_the_shares_or_why_there_are_none():
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    planes = torch.stack([torch.ones(1, 4, 4), -3 * torch.ones(1, 4, 4)], 1)
    found = plane_entry(Lime(by_plane=True), attribution_of_planes(planes), labels)
    assert found == {"planes": {"shares": [0.25, 0.75], "signed": [16.0, -48.0]}}
    blind = Attribution(torch.ones(1, 4, 4))
    assert "layer" in plane_entry(GradCam(), blind, labels)["no_planes"]
    assert "by_plane: true" in plane_entry(Lime(), blind, labels)["no_planes"]
    nothing = plane_entry(Lime(), attribution_of_planes(0 * planes), labels)
    assert nothing["planes"]["shares"] == [None, None]


def test_rows_say_which_plane_is_highest():
    rows = list(plane_rows(PLANES, [entry("a", (0.7, 0.3)), entry("b", (None, None), (0, 0))]))
    assert [(row["image"], row["plane"], row["share"], row["highest"]) for row in rows] == [
        ("a", "nuclei", 0.7, 1), ("a", "actin", 0.3, 0), ("b", "nuclei", "", 0),
        ("b", "actin", "", 0),
    ]  # fmt: skip


def test_the_summary_is_over_images_and_further_classes_of_them_do_not_count():
    entries = [entry("a", (0.7, 0.3)), entry("a__top2", (0, 1), rank=2), entry("b", (0.5, 0.5))]
    found = summarise(PLANES, entries)
    nuclei, actin = found["explainers"]["LIME"]
    assert (nuclei["plane"], nuclei["n_images"], nuclei["n_highest"]) == ("nuclei", 2, 2)
    assert nuclei["share"] == pytest.approx(0.6)
    assert nuclei["low"] <= 0.6 <= nuclei["high"]
    assert actin["signed"] == -0.5
    assert found["without"] == {"Grad-CAM": "weighs a layer"}


def test_a_table_is_written_where_planes_have_names_and_else_nothing(tmp_path):
    assert write_planes(tmp_path, (), [entry("a", (1, 0))]) == {}
    assert not list(tmp_path.iterdir())
    of_table = {"columns": {"plate": "P1", "share": "a third"}}
    write_planes(tmp_path, PLANES, [entry("a", (0.75, 0.25)) | of_table])
    with (tmp_path / "planes.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["plane"], first["share"], first["highest"]) == ("nuclei", "0.75", "1")
    assert (first["plate"], first["data: share"]) == ("P1", "a third")
    assert (second["plane"], second["signed"]) == ("actin", "-0.5")


def test_maps_by_plane_are_kept_beside_the_maps_where_they_are_asked_for(context_of_one):
    image, context = context_of_one
    kept = attribution_of_planes(torch.rand(1, 2, 8, 8))
    attributions = {"LIME": kept, "Grad-CAM": Attribution(torch.rand(1, 8, 8))}
    tensors = collect_tensors(context, image, attributions, with_planes=True)
    assert {*tensors} == {
        "map/LIME", "map/Grad-CAM", "planes/LIME", "image", "superpixels",
    }  # fmt: skip
    assert torch.equal(tensors["planes/LIME"].sum(0), tensors["map/LIME"])
    assert "planes/LIME" not in collect_tensors(context, image, attributions)


@pytest.fixture
def context_of_one():
    from cellxai.explain.base import Context

    image = torch.rand(1, 2, 8, 8)
    return image, Context(torch.zeros(1, 8, 8, dtype=torch.long), torch.zeros_like(image))
