import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cellxai.adapters.place_density import PlaceMap, read_place_density
from cellxai.data.readers.sartorius import Sartorius
from cellxai.density import PipelineSettings
from cellxai.density.known_images import read_known_images
from cellxai.density.place_rounds import judge_places, unfitted_place_density
from cellxai.density.places import PlaceDensity
from cellxai.density.roles import Assignment, assign_by_fold
from cellxai.density.settings import PLACE_PIPELINE, PlaceSettings
from cellxai.evaluation.intervals import wilson
from cellxai.trained.image_sets import NetworkFeatures
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density
from cellxai.verbs.explain import explain

PIPELINE = PipelineSettings(n_components=(1,), covariance_types=("diag",), percent=30.0)
PLACES = PlaceSettings(
    ["backbone.blocks.1", "backbone.blocks.0"],
    replace(PLACE_PIPELINE, projection=0.9, percent=30.0),
    smoothing=1.0,
    n_places=2000,
)


@pytest.fixture(scope="module")
def found(tiny_run, tmp_path_factory):
    """The densities of a copy of the trained run."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("places") / "run"))
    return density(copy, PIPELINE, places=PLACES, detectors={}, device="cpu")


@pytest.fixture(scope="module")
def trained(found):
    return load_run(found.folder.parent, "cpu")


def batches(trained, part):
    return [images for images, _ in trained.images.tensor_batches(part, 32)]


def test_training_images_fit_and_validation_images_set_the_threshold(found, trained):
    kept = read_place_density(trained)
    train = batches(trained, "train")
    alone = PlaceDensity(trained.classifier, PLACES).fit(train, sum(map(len, train)))
    test = batches(trained, "test")[0]
    assert torch.equal(kept(test), alone(test))
    held_out = alone.scores(batches(trained, "validation"))
    assert torch.equal(kept.calibration_.log_density, held_out)
    expected = np.percentile(held_out, 30, method="weibull")
    assert kept.threshold.threshold_nats == expected
    assert expected != np.percentile(alone.scores(train), 30, method="weibull")


def test_the_summary_says_what_the_threshold_does_to_images_it_has_not_seen(found, trained):
    kept, judged = read_place_density(trained), batches(trained, "test")[0]
    n_flagged = int(kept.unfamiliar(judged).sum())
    told = json.loads((found.folder / "summary.json").read_text())["places"]
    assert (told["n_judged"], told["n_flagged"]) == (len(judged), n_flagged)
    assert tuple(told["interval"]) == wilson(n_flagged, len(judged))
    assert told["threshold_nats"] == kept.threshold.threshold_nats
    assert told["layers"] == list(PLACES.layers)
    lines = str(found).splitlines()
    line = next(line for line in lines if line.startswith("least known places: "))
    assert f"{kept.threshold}; flagged: {n_flagged / len(judged):.0%} of {len(judged)}" in line


def test_the_other_density_is_as_without_places(found, trained, tmp_path):
    copy = Path(shutil.copytree(found.folder.parent, tmp_path / "run"))
    before = (copy / "density" / "scores.csv").read_bytes()
    again = density(copy, PIPELINE, detectors={}, device="cpu")
    assert (copy / "density" / "scores.csv").read_bytes() == before
    assert not (copy / "density" / "places.safetensors").exists()
    assert again.places is None
    assert "least known places" not in str(again)


def test_in_folds_each_image_is_judged_by_a_density_that_neither_saw_nor_was_set_by_it(trained):
    source = NetworkFeatures(trained)
    known = read_known_images(source)
    folds = torch.arange(len(known.records)) % 3
    assignment = assign_by_fold(folds, [True] * len(folds))
    found = judge_places(unfitted_place_density(source, PLACES, 0), known, assignment)
    pictures = known.every.pictures.float().div(255).expand(-1, 3, -1, -1)
    expected = []
    for roles in assignment.rounds:
        alone = PlaceDensity(trained.classifier, PLACES).fit_folds(
            lambda chosen, fitted=roles.fitted: [pictures[fitted[chosen]]], roles.folds
        )
        expected.append(alone.unfamiliar(pictures[roles.judged]).numpy())
    assert (found.flagged == np.concatenate(expected)).all()
    assert len(found.density.calibration_.log_density) == len(folds)
    assert found.density.calibration_.n_folds == 3


def test_without_test_images_nothing_is_judged_and_that_is_said(trained):
    source = NetworkFeatures(trained)
    known = read_known_images(source)
    n_images = len(known.records)
    every = assign_by_fold(torch.arange(n_images) % 2, [True] * n_images).final
    unfitted = unfitted_place_density(source, PLACES, 0)
    found = judge_places(unfitted, known, Assignment((every,), every))
    assert found.summary()["interval"] is None
    assert "no image is left to say what that does to new ones" in str(found)


def test_raw_pixels_have_no_places(found, tmp_path):
    cells = load_run(found.folder.parent, "cpu").images.all_records[0].path.parent.parent
    with pytest.raises(ValueError, match=r"places\.layers=.*raw pixels do not come from a network"):
        density(tmp_path / "out", PIPELINE, data=Sartorius(cells), places=PLACES)


def test_an_unknown_layer_costs_no_computation(trained, monkeypatch):
    monkeypatch.setattr("cellxai.verbs.density.findings.read_known_images", None)
    with pytest.raises(ValueError, match=r"layer='backbone\.bloks': the network has no such"):
        density(trained.folder.root, places=PlaceSettings(["backbone.bloks"]), device="cpu")


def test_the_verb_explain_says_what_it_explained(found, tmp_path, monkeypatch):
    copy = Path(shutil.copytree(found.folder.parent, tmp_path / "run"))
    monkeypatch.setattr("cellxai.verbs.explain.work.draw_pictures", lambda *_: {})
    monkeypatch.setattr("cellxai.verbs.explain.verb.draw_grid", lambda *_: None)
    made = explain(copy, {"map": PlaceMap()}, score="places", device="cpu")
    (entry, *_) = json.loads((made.folder / "index.json").read_text())["images"]
    assert entry["explained"] == "log-density of the least known places of the image (nats)"
    assert entry["explainers"]["map"]["status"] == "ok"
    assert explain(copy, {"map": PlaceMap()}, score="places", device="cpu").n_kept == 3
