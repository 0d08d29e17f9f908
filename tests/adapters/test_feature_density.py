import pytest
import torch

from cellxai.adapters.feature_density import FeatureDensity
from cellxai.density.pipeline import PIPELINE_FILE, DensityPipeline
from cellxai.density.settings import PipelineSettings
from cellxai.files.folder import RunFolder
from cellxai.trained.run import load_run

SETTINGS = PipelineSettings(projection=2, n_components=(1,), covariance_types=("full",), n_init=1)


@pytest.fixture
def classifier(tiny_run):
    return load_run(tiny_run, "cpu").classifier


def save_density(run, width: int, seed: int = 0) -> DensityPipeline:
    """A density of invented features, saved where a run keeps its own."""
    generator = torch.Generator().manual_seed(seed)
    x, held_out = torch.randn(2, 40, width, generator=generator, dtype=torch.float64)
    pipeline = DensityPipeline(SETTINGS).fit(x).calibrate(held_out)
    RunFolder(run).density.mkdir(parents=True, exist_ok=True)
    pipeline.save(RunFolder(run).density / PIPELINE_FILE)
    return pipeline


def test_images_have_the_density_of_their_features_and_a_gradient(tmp_path, classifier):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    features = classifier.features(images).detach()
    pipeline = save_density(tmp_path, features.shape[1])
    density = FeatureDensity(tmp_path)
    images.requires_grad_()
    nats = density.of_images(classifier)(images)
    torch.testing.assert_close(nats, pipeline.score_samples(features.double()).to(nats))
    assert nats.dtype == torch.float32
    nats.sum().backward()
    assert images.grad.abs().sum() > 0


def test_densities_of_other_content_are_told_apart(tmp_path):
    names = []
    for seed in (0, 0, 1):
        save_density(tmp_path, 5, seed)
        names.append(repr(FeatureDensity(tmp_path)))
    assert names[0] == names[1] != names[2]


def test_a_run_without_a_density_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"run `cellxai density --run {tmp_path}`"):
        FeatureDensity(tmp_path)
