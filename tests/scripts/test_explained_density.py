import shutil
import sys
from pathlib import Path

import explained_density
import numpy as np
import pytest
import torch

from cellxai.adapters.familiarity import SurpriseMap
from cellxai.explain.controls import RandomAttribution
from cellxai.files.folder import read_csv
from cellxai.intervals import share_interval
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load_run(tiny_run, "cpu")


def test_new_scenes_are_like_the_runs_own_and_none_of_them(trained):
    planted = explained_density.plant_objects(trained, 8)
    own = {record.path.read_bytes() for record in trained.images.all_records}
    assert planted.clean.shape == (8, 3, *trained.transforms.image_size)
    assert len(own) == len(trained.images.all_records)
    assert planted.kinds[:4] == ("fibre", "bubble", "dust", "crystal")
    changed = (planted.clean != planted.spoiled).any(1)
    assert (changed & planted.regions).any((1, 2)).all()
    known = trained.images.images("train")[:, 0].float() / 255
    assert all((known != image[0]).any((1, 2)).all() for image in planted.clean)


def test_the_table_says_how_often_each_map_points_at_the_object_and_what_chance_is(
    tiny_run, tmp_path, monkeypatch, capsys
):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    methods = {"density map": SurpriseMap(), "random": RandomAttribution()}
    monkeypatch.setattr(explained_density, "choose_explainers", lambda *_: methods)
    density(run, detectors={}, device="cpu")
    words = ["--run", str(run), "--out", str(tmp_path), "--images", "6"]
    monkeypatch.setattr(sys, "argv", ["explained_density.py", *words])
    explained_density.main()
    rows = {row["explainer"]: row for row in read_csv(tmp_path / "explainers.csv")}
    assert rows.keys() == methods.keys()
    for row in rows.values():
        hits = round(6 * float(row["pointing"]))
        low, high = share_interval(hits, 6)
        assert float(row["low"]) == pytest.approx(low, abs=1e-3)
        assert float(row["high"]) == pytest.approx(high, abs=1e-3)
        assert 0.01 < float(row["chance"]) < 0.1
    page = capsys.readouterr().out
    assert page.strip() == (tmp_path / "table.md").read_text().strip()
    assert "density of views:" in page
    assert (tmp_path / "anomalies.png").read_bytes().startswith(b"\x89PNG")


def test_the_share_inside_is_that_of_what_lies_above_the_mean():
    regions = torch.zeros(2, 4, 4, dtype=torch.bool)
    regions[:, :2] = True
    values = torch.zeros(2, 4, 4)
    values[0, 0, 0], values[0, 3, 3] = 6.0, 2.0  # mean 0.5: 5.5 inside, 1.5 outside
    values[1, 0, :2] = 1.0
    found = explained_density.share_inside(values, regions)
    torch.testing.assert_close(found, torch.tensor([5.5 / 7, 1.0]))


def test_a_density_in_a_line_counts_and_compares_pairs():
    scores = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.5, -1.0, -2.0])]
    line = explained_density.detection_line("x", scores, [values < 0.5 for values in scores])
    assert "75% of 4 images with an object flagged, 0% of the same without" in line
    assert "the object lowers the log density of 75%" in line
