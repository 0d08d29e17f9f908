from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

from cellxai.adapters.place_density import PlaceMap
from cellxai.adapters.removal import prepare_region, render_prepared
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.synthetic import SceneSettings, compose_scene, foreign_region, with_foreign
from cellxai.density import DensityPipeline
from cellxai.density.places import PlaceDensity, mean_of_lowest, sample_places, smooth
from cellxai.density.settings import PLACE_PIPELINE, PipelineSettings, PlaceSettings
from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.hiding.occlusion import FeatureAblation
from cellxai.explain.metrics.localisation import pointing_game
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.digest import stop_vouching
from cellxai.trained.run import load_run

# Without CLAHE, which gives every object the same contrast.
TRANSFORMS = Transforms(image_size=(64, 64), clahe=False)
LAYERS = ["backbone.blocks.0", "backbone.blocks.1"]
ONE_LAYER = LAYERS[:1]
TARGET = torch.zeros(1, dtype=torch.int64)


@pytest.fixture(scope="module")
def trained(tiny_run):
    return load_run(tiny_run, "cpu")


@pytest.fixture(scope="module")
def images(trained):
    return torch.cat([images for images, _ in trained.images.tensor_batches("train")])


@pytest.fixture(scope="module")
def density(trained, images):
    """Fitted to scenes that the network was not trained on: enough of them are cheap to render."""
    return fitted(trained, LAYERS, smoothing=1.0)


def fitted(trained, layers, seed=0, **options):
    known = rendered(100, 140)
    density = PlaceDensity(trained.classifier, PlaceSettings(layers, **options), seed)
    return density.fit(known.split(16), len(known)).calibrate(rendered(140, 170).split(16))


@cache
def rendered(start, stop):
    return torch.stack([render_prepared(scene_at(i), TRANSFORMS) for i in range(start, stop)])


def scene_at(index):
    return compose_scene(11, index, SceneSettings(64, 64))


def test_the_map_is_the_log_density_of_every_place(trained, images):
    density = fitted(trained, ONE_LAYER, smoothing=0.0)
    nats = density.log_density_map(images[:2])
    with torch.inference_mode():
        features = []
        hook = trained.classifier.get_submodule(LAYERS[0]).register_forward_hook(
            lambda _, __, output: features.append(output)
        )
        trained.classifier(images[:2])
        hook.remove()
    for row, column in [(0, 0), (3, 5), (7, 2)]:
        around = features[0][:, :, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].mean(
            (2, 3)
        )
        expected = density.pipeline_.score_samples(around.double())
        torch.testing.assert_close(nats[:, row, column].double(), expected, rtol=1e-3, atol=1e-2)


def test_an_image_is_as_well_known_as_its_least_known_places(density, images):
    nats = density.log_density_map(images).flatten(1)
    n_lowest = round(density.settings.share * nats.shape[1])
    expected = nats.sort(1).values[:, : max(n_lowest, 1)].mean(1)
    torch.testing.assert_close(density(images)[:, 0], expected)


def test_the_score_is_differentiable_with_respect_to_the_image(density, images):
    image = images[:1].clone().requires_grad_()
    density(image).sum().backward()
    direction = image.grad.sign() * 1e-3
    with torch.no_grad():
        change = (density(image + direction) - density(image - direction)).item() / 2
    assert change == pytest.approx((image.grad * direction).sum().item(), rel=0.2)


@pytest.mark.slow
def test_planted_objects_are_flagged_and_the_map_points_at_them(trained, density):
    scenes = [scene_at(index) for index in range(24)]
    spoiled = [with_foreign(scene, "bubble") for scene in scenes]
    clean, images = (
        torch.stack([render_prepared(scene, TRANSFORMS) for scene in some])
        for some in (scenes, spoiled)
    )
    regions = torch.stack([prepare_region(foreign_region(scene), TRANSFORMS) for scene in spoiled])
    assert density.unfamiliar(clean).float().mean() < 0.3
    assert density.unfamiliar(images).float().mean() > 0.5
    with torch.no_grad():
        assert (density(images) < density(clean)).float().mean() > 0.9
    context = context_of(images, Grid(8), BlurBaseline())
    targets = TARGET.expand(len(images))
    hits = {
        type(method): pointing_game(
            -method.attribute(density, images, targets, context).values, regions
        )
        for method in (PlaceMap(), FeatureAblation())
    }
    assert regions.float().mean() < 0.06
    assert hits[PlaceMap].mean() > 0.7
    # A superpixel hit is shared by its pixels, of which some lie outside.
    assert (hits[FeatureAblation] > 0).float().mean() > 0.8


def test_explainers_of_classifiers_take_it_as_a_model(density, images):
    context = context_of(images[:1], Grid(16), BlurBaseline())
    found = Saliency().attribute(density, images[:1], TARGET, context)
    assert found.values.isfinite().all()
    assert found.values.abs().sum() > 0


def test_the_same_seed_draws_the_same_places(trained, images):
    one, two = (fitted(trained, LAYERS, seed)(images) for seed in (0, 0))
    assert torch.equal(one, two)
    assert not torch.equal(one, fitted(trained, LAYERS, 1)(images))


def test_places_are_drawn_of_every_image_and_none_twice():
    features = torch.arange(2 * 3 * 4).reshape(2, 3, 4, 1).float()
    drawn = sample_places(features, 5, torch.Generator().manual_seed(0))[:, 0]
    assert len(drawn.unique()) == 10
    assert ((drawn < 12).sum(), (drawn >= 12).sum()) == (5, 5)


def test_the_lowest_share_is_at_least_one_place():
    nats = torch.arange(20.0).reshape(1, 4, 5)
    assert mean_of_lowest(nats, 0.001).item() == 0.0
    assert mean_of_lowest(nats, 0.2).item() == 1.5
    assert mean_of_lowest(nats, 1.0).item() == 9.5


def test_smoothing_keeps_a_constant_and_spreads_a_point():
    assert torch.equal(smooth(torch.ones(1, 8, 8), 0.0), torch.ones(1, 8, 8))
    torch.testing.assert_close(smooth(torch.ones(1, 8, 8), 2.0), torch.ones(1, 8, 8))
    point = F.pad(torch.ones(1, 1, 1), (10, 10, 10, 10))
    spread = smooth(point, 1.5)
    assert spread.sum().item() == pytest.approx(1, abs=1e-3)
    rows = torch.arange(-10, 11.0)
    assert (spread.sum(2)[0] * rows**2).sum().sqrt().item() == pytest.approx(1.5, rel=0.05)


def test_an_unknown_layer_and_no_layer_are_refused(trained):
    with pytest.raises(ValueError, match=r"layer='backbone\.bloks\.1': .* no such layer"):
        PlaceDensity(trained.classifier, PlaceSettings(["backbone.bloks.1"]))
    with pytest.raises(ValueError, match="expected at least one layer"):
        PlaceSettings([])


@pytest.mark.parametrize("layer", ["penultimate", "head.0"])
def test_a_layer_without_places_is_refused(trained, images, layer):
    with pytest.raises(ValueError, match=rf"layer='{layer}' has no places; name an earlier one, s"):
        PlaceDensity(trained.classifier, PlaceSettings([layer])).fit([images], len(images))


def test_the_threshold_is_set_by_the_images_of_the_calibration_alone(density):
    held_out = density.scores(rendered(140, 170).split(16))
    expected = np.percentile(held_out, PLACE_PIPELINE.percent, method="weibull")
    assert density.threshold.threshold_nats == expected
    assert torch.equal(density.calibration_.log_density, held_out)
    assert torch.equal(density.unfamiliar(rendered(140, 156)), held_out[:16] < expected)


def test_in_folds_no_image_is_scored_by_a_density_that_was_fitted_to_it(trained):
    known, folds = rendered(100, 124), torch.arange(24) % 3
    settings = PlaceSettings(
        ONE_LAYER, PipelineSettings(projection=2, n_components=(1,), covariance_types=("full",))
    )
    found = PlaceDensity(trained.classifier, settings, 5).fit_folds(
        lambda places: known[places].split(16), folds
    )
    for fold in range(3):
        others = known[folds != fold]
        part = PlaceDensity(trained.classifier, settings, 5).fit(others.split(16), len(others))
        expected = part.scores(known[folds == fold].split(16))
        assert torch.equal(found.calibration_.log_density[folds == fold], expected)
    whole = PlaceDensity(trained.classifier, settings, 5).fit(known.split(16), len(known))
    assert torch.equal(found(known), whole(known))
    assert (found.calibration_.log_density != whole.scores([known])).all()
    assert found.calibration_.n_folds == 3


def test_one_fold_sets_no_threshold(trained):
    density = PlaceDensity(trained.classifier, PlaceSettings(ONE_LAYER))
    with pytest.raises(ValueError, match="1 fold of 4 images, expected at least two"):
        density.fit_folds(lambda places: [rendered(100, 104)[places]], torch.zeros(4).long())


def test_folds_have_as_many_axes_as_the_whole(trained, monkeypatch):
    asked = []
    fit = DensityPipeline.fit
    monkeypatch.setattr(
        DensityPipeline,
        "fit",
        lambda self, *features: asked.append(self.settings.projection) or fit(self, *features),
    )
    known = rendered(100, 124)
    found = PlaceDensity(trained.classifier, PlaceSettings(LAYERS)).fit_folds(
        lambda places: known[places].split(16), torch.arange(24) % 2
    )
    n_axes = found.pipeline_.fitted_.projection.n_dimensions
    assert asked == [PLACE_PIPELINE.projection, n_axes, n_axes]


def test_a_new_fit_forgets_the_threshold_of_the_old_one(trained):
    found = fitted(trained, ONE_LAYER).fit([rendered(100, 110)], 10)
    with pytest.raises(AttributeError):
        found.threshold  # noqa: B018


def test_without_an_image_no_threshold_is_set(trained):
    found = PlaceDensity(trained.classifier, PlaceSettings(ONE_LAYER)).fit([rendered(100, 110)], 10)
    with pytest.raises(ValueError, match="at least one"):
        found.calibrate([])


def test_a_file_answers_as_what_was_saved(density, trained, images, tmp_path):
    density.save(tmp_path / "places.safetensors")
    read = PlaceDensity.load(tmp_path / "places.safetensors", trained.classifier)
    assert torch.equal(read(images), density(images))
    assert torch.equal(read.log_density_map(images), density.log_density_map(images))
    assert read.threshold == density.threshold
    assert (read.settings.smoothing, list(read.settings.layers)) == (1.0, LAYERS)
    read.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "places.safetensors"
    ).read_bytes()


def test_a_damaged_or_foreign_file_is_one_line(density, trained, tmp_path):
    path = tmp_path / "places.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file, expected one of `cellxai density`"):
        PlaceDensity.load(path, trained.classifier)
    save_file({"mean": np.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"places\.safetensors: no density of places"):
        PlaceDensity.load(path, trained.classifier)
    features = torch.randn(60, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    DensityPipeline(PLACE_PIPELINE).fit(features).calibrate(features).save(path)
    with pytest.raises(ValueError, match="no density of places"):
        PlaceDensity.load(path, trained.classifier)
    density.save(path)
    with pytest.raises(ValueError, match="no density pipeline"):
        DensityPipeline.load(path)
    stop_vouching(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        ValueError, match=r"no density of places .*; run `cellxai density`"
    ) as caught:
        PlaceDensity.load(path, trained.classifier)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_network_is_refused(density, trained, tmp_path):
    path = tmp_path / "places.safetensors"
    density.save(path)
    other = deepcopy(trained.classifier)
    with torch.no_grad():
        next(other.parameters()).add_(1)
    with pytest.raises(
        ValueError, match=r"places\.safetensors: .*belongs to weights with SHA-256 [0-9a-f]{12}…"
    ):
        PlaceDensity.load(path, other)


def test_features_of_places_are_of_all_layers_on_the_grid_of_the_first(density, trained, images):
    found = density.places(images[:2])
    assert found.shape[:3] == density.log_density_map(images[:2]).shape
    alone = fitted(trained, ONE_LAYER).places(images[:2])
    assert found.shape[-1] > alone.shape[-1]
    np.testing.assert_allclose(found[..., : alone.shape[-1]].detach(), alone.detach(), rtol=1e-5)
