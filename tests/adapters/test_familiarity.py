import pytest
import torch

from cellxai.adapters.familiarity import Familiarity, LogFamiliarity, image_density, read_density
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.density.views import Penultimate, Places, Tones
from cellxai.density.views.looking import layers_of, look, rows_of
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
