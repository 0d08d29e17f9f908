import pytest
import torch

from cellxai.adapters.familiarity import (
    Familiarity,
    LogFamiliarity,
    SurpriseMap,
    image_density,
    read_density,
)
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.views import Penultimate, Places, Tones
from cellxai.density.views.looking import layers_of, look, rows_of
from cellxai.explain.backward.default_layer import default_layer, default_layers
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.score import Scored
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.folder import RunFolder
from cellxai.files.identity import hash_tensors
from cellxai.trained.run import load_run

VIEWS = {"tones": Tones(1), "places": Places("backbone.blocks.0", side=8), "last": Penultimate()}


@pytest.fixture(scope="module")
def classifier(tiny_run):
    return load_run(tiny_run, "cpu").classifier


@pytest.fixture(scope="module")
def pipeline(classifier) -> DensityPipeline:
    images = torch.rand(30, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        rows = rows_of(VIEWS, look(classifier, layers_of(VIEWS.values()), images))
    folds = torch.arange(30) % 3
    return DensityPipeline(VIEWS, PipelineSettings(percent=10.0)).fit(rows, folds, folds)


def test_images_have_the_familiarity_of_their_views_and_a_gradient(classifier, pipeline):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.5
    rows = rows_of(VIEWS, look(classifier, layers_of(VIEWS.values()), images))
    images.requires_grad_()
    nats = Familiarity(classifier, pipeline)(images)
    expected = pipeline.log_familiarity(rows)[:, None]
    torch.testing.assert_close(nats.double(), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(LogFamiliarity("x").scores(nats), nats)
    nats.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def make_images() -> torch.Tensor:
    """A dark image, and one with a bright square."""
    known = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    dark, spoiled = known[0] * 0.2, known[1].clone()
    spoiled[:, 16:32, 40:56] = 1.0
    return torch.stack([dark, spoiled])


def test_the_most_surprised_view_is_the_one_whose_number_is_the_score(classifier, pipeline):
    images = make_images()
    familiarity = Familiarity(classifier, pipeline)
    tails = pipeline.log_tails(rows_of(VIEWS, look(classifier, layers_of(VIEWS.values()), images)))
    names = familiarity.most_surprised(images)
    scores = [float(tails[name][row].detach()) for row, name in enumerate(names)]
    assert scores == pytest.approx(familiarity(images)[:, 0].tolist(), abs=1e-4)


@pytest.mark.parametrize(("view", "layer"), [("places", "backbone.blocks.0"), ("last", None)])
def test_grad_cam_looks_at_the_layer_of_the_most_surprised_view(
    classifier, pipeline, monkeypatch, view, layer
):
    images = make_images()
    familiarity = Familiarity(classifier, pipeline)
    monkeypatch.setattr(familiarity, "most_surprised", lambda images: [view] * len(images))
    expected = classifier.get_submodule(layer) if layer else default_layer(classifier, images)
    assert familiarity.decisive_layers(images) == [expected] * 2
    model = Scored(familiarity, LogFamiliarity("x"))
    assert default_layers(model, images) == [expected] * 2


def test_an_image_that_surprises_a_view_of_pixels_has_no_grad_cam_and_the_reason_names_it(
    classifier, pipeline, monkeypatch
):
    images = make_images()
    familiarity = Familiarity(classifier, pipeline)
    monkeypatch.setattr(familiarity, "most_surprised", lambda images: ["tones"])
    model = Scored(familiarity, LogFamiliarity("x"))
    context = context_of(images[:1], Grid(16), BlurBaseline())
    attribution = GradCam().attribute(model, images[:1], torch.zeros(1, dtype=int), context)
    assert attribution.status == "unsupported"
    assert "surprises most, tones, looks at pixels" in attribution.reason
    assert attribution.values.isnan().all()


def test_a_batch_of_images_that_surprise_several_views_has_a_map_where_one_is(
    classifier, pipeline, monkeypatch
):
    images = make_images()
    familiarity = Familiarity(classifier, pipeline)
    monkeypatch.setattr(familiarity, "most_surprised", lambda images: ["tones", "places"])
    model = Scored(familiarity, LogFamiliarity("x"))
    context = context_of(images, Grid(16), BlurBaseline())
    attribution = GradCam().attribute(model, images, torch.zeros(2, dtype=int), context)
    assert attribution.status == "degraded"
    assert attribution.reason.endswith(" (1 of 2 images)")
    assert attribution.values[0].isnan().all()
    assert attribution.values[1].isfinite().all()


def test_the_map_of_places_says_where_another_view_decides(classifier, pipeline, monkeypatch):
    images = make_images()
    familiarity = Familiarity(classifier, pipeline)
    context, target = context_of(images, Grid(16), BlurBaseline()), torch.zeros(2, dtype=int)
    monkeypatch.setattr(familiarity, "most_surprised", lambda images: ["tones", "places"])
    attribution = SurpriseMap().attribute(familiarity, images, target, context)
    assert attribution.status == "ok"
    assert attribution.reason.startswith("surprised most: tones, which have no places")
    monkeypatch.setattr(familiarity, "most_surprised", lambda images: ["places", "places"])
    assert SurpriseMap().attribute(familiarity, images, target, context).reason == ""


def test_a_density_is_read_for_the_network_that_it_was_fitted_to_alone(
    tmp_path, classifier, pipeline
):
    folder = RunFolder(tmp_path).density
    folder.mkdir()
    pipeline.save(folder / PIPELINE_FILE, hash_tensors(classifier.state_dict()))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    expected = Familiarity(classifier, pipeline)(images)[:, 0]
    torch.testing.assert_close(image_density(tmp_path, classifier)(images), expected)
    pipeline.save(folder / PIPELINE_FILE, "another")
    with pytest.raises(ValueError, match="of weights with SHA-256 another"):
        read_density(tmp_path, classifier)


def test_a_run_without_a_density_names_the_command(tmp_path, classifier):
    with pytest.raises(FileNotFoundError, match=f"run `cellxai density --run {tmp_path}`"):
        read_density(tmp_path, classifier)
