import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cellxai.adapters.explained_score import attach_score
from cellxai.adapters.place_density import PlaceMap, places_file, read_place_density
from cellxai.adapters.second_run import RunModel
from cellxai.density.places import PlaceDensity
from cellxai.density.settings import PlaceSettings
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.provenance import identify_model
from cellxai.explain.superpixels.methods import Grid
from cellxai.trained.run import load_run
from cellxai.verbs.explain.saved_maps import hash_settings

SETTINGS = PlaceSettings(["backbone.blocks.0"], smoothing=0.0)
TARGET = torch.zeros(1, dtype=torch.int64)


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory):
    """A run with a density of places."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("places") / "run"))
    run = load_run(copy, "cpu")
    saved(run, SETTINGS)
    return run


@pytest.fixture(scope="module")
def image(trained):
    return trained.pixels("test", 0)


def saved(trained, settings):
    train, held_out = (
        [images for images, _ in trained.images.tensor_batches(part)]
        for part in ("train", "validation")
    )
    density = PlaceDensity(trained.classifier, settings).fit(train, sum(map(len, train)))
    density.calibrate(held_out).save(places_file(trained))
    return density


def explained(method, model, image):
    context = context_of(image, Grid(16), BlurBaseline())
    return method.attribute(model, image, TARGET, context)


def test_what_is_explained_is_what_the_density_answers(trained, image):
    found = attach_score(trained, "places")
    assert torch.equal(found.model(image), read_place_density(trained)(image))
    assert found.model(image).shape == (1, 1)
    told = "log-density of the least known places of the image (nats)"
    assert (found.explained("astro"), found.column(2)) == (told, 0)


def test_explainers_of_classifiers_explain_it(trained, image):
    model = attach_score(trained, "places").model
    gradient = explained(Saliency(), model, image)
    assert gradient.status == "ok"
    assert gradient.values.abs().sum() > 0
    assert explained(GradCam("backbone.blocks.0"), model, image).values.isfinite().all()


def test_the_map_is_the_densitys_own_above_its_mean(trained, image):
    density = read_place_density(trained)
    found = explained(PlaceMap(), attach_score(trained, "places").model, image)
    assert torch.equal(found.values, explained(PlaceMap(), density, image).values)
    assert found.values.shape == (1, *image.shape[-2:])
    assert found.values.mean().item() == pytest.approx(0, abs=1e-3)
    rows, columns = density.log_density_map(image).shape[1:]
    coarse = torch.nn.functional.adaptive_avg_pool2d(found.values, (rows, columns)).flatten()
    nats = density.log_density_map(image).flatten()
    assert torch.corrcoef(torch.stack([coarse, nats]))[0, 1] > 0.9


def test_the_map_explains_no_other_model(trained, image):
    for model in (trained.classifier, attach_score(trained, "logit").model):
        assert explained(PlaceMap(), model, image).status == "unsupported"


def test_maps_of_two_densities_of_places_are_told_apart(trained):
    def told():
        scored = attach_score(trained, "places")
        maps = hash_settings(scored.model, {"map": PlaceMap()}, scored.score, seed=0)
        return identify_model(scored.model), maps

    first = told()
    assert told() == first
    saved(trained, replace(SETTINGS, share=0.5))
    changed = told()
    saved(trained, SETTINGS)
    assert told() == first
    assert changed[0] != first[0]
    assert changed[1] != first[1]


def test_without_a_density_of_places_the_command_is_named(tiny_run, tmp_path):
    bare = load_run(Path(shutil.copytree(tiny_run, tmp_path / "run")), "cpu")
    with pytest.raises(
        FileNotFoundError,
        match=rf"run `cellxai density --run {bare.folder.root} --config .*/places\.yaml`",
    ) as caught:
        attach_score(bare, "places")
    assert "\n" not in str(caught.value)


def test_places_of_one_network_say_nothing_of_another(trained):
    scored = attach_score(trained, "places").model
    with pytest.raises(ValueError, match="least known places is of one model's features"):
        RunModel(trained.folder.root).beside(scored, torch.device("cpu"))
