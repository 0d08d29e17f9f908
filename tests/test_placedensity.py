from functools import cache

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cellxai.data.synthetic import compose_scene, foreign_region, with_foreign
from cellxai.data.transforms import Transforms
from cellxai.explain.base import context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.gradients import Saliency
from cellxai.explain.metrics.localisation import pointing_game
from cellxai.explain.occlusion import FeatureAblation
from cellxai.explain.superpixels import Grid
from cellxai.placedensity import PlaceDensity, PlaceMap, drawn_places, lowest, smoothed
from cellxai.removal import prepared_region, seen
from cellxai.training.trained import load_run

# Without CLAHE, which gives every object the same contrast.
TRANSFORMS = Transforms(image_size=(64, 64), clahe=False)
LAYERS = ["backbone.blocks.0", "backbone.blocks.1"]
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


def fitted(trained, layers, **options):
    known = rendered(100, 140)
    density = PlaceDensity(trained.classifier, layers, **options).fit(known.split(16), len(known))
    return density.calibrate(rendered(140, 170).split(16))


@cache
def rendered(start, stop):
    return torch.stack([seen(scene_at(i), TRANSFORMS) for i in range(start, stop)])


def scene_at(index):
    return compose_scene(11, index, 64, 64)


def test_the_map_is_the_log_density_of_every_place(trained, images):
    density = fitted(trained, LAYERS[:1], smoothing=0.0)
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
    n_lowest = round(density.share * nats.shape[1])
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
        torch.stack([seen(scene, TRANSFORMS) for scene in some]) for some in (scenes, spoiled)
    )
    regions = torch.stack([prepared_region(foreign_region(scene), TRANSFORMS) for scene in spoiled])
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


def test_the_map_explains_no_other_model(trained, images):
    context = context_of(images[:1], Grid(16), BlurBaseline())
    found = PlaceMap().attribute(trained.classifier, images[:1], TARGET, context)
    assert found.status == "unsupported"


def test_the_same_seed_draws_the_same_places(trained, images):
    one, two = (fitted(trained, LAYERS, seed=seed)(images) for seed in (0, 0))
    assert torch.equal(one, two)
    assert not torch.equal(one, fitted(trained, LAYERS, seed=1)(images))


def test_places_are_drawn_of_every_image_and_none_twice():
    features = torch.arange(2 * 3 * 4).reshape(2, 3, 4, 1).float()
    drawn = drawn_places(features, 5, torch.Generator().manual_seed(0))[:, 0]
    assert len(drawn.unique()) == 10
    assert ((drawn < 12).sum(), (drawn >= 12).sum()) == (5, 5)


def test_the_lowest_share_is_at_least_one_place():
    nats = torch.arange(20.0).reshape(1, 4, 5)
    assert lowest(nats, 0.001).item() == 0.0
    assert lowest(nats, 0.2).item() == 1.5
    assert lowest(nats, 1.0).item() == 9.5


def test_smoothing_keeps_a_constant_and_spreads_a_point():
    assert torch.equal(smoothed(torch.ones(1, 8, 8), 0.0), torch.ones(1, 8, 8))
    torch.testing.assert_close(smoothed(torch.ones(1, 8, 8), 2.0), torch.ones(1, 8, 8))
    point = F.pad(torch.ones(1, 1, 1), (10, 10, 10, 10))
    spread = smoothed(point, 1.5)
    assert spread.sum().item() == pytest.approx(1, abs=1e-3)
    rows = torch.arange(-10, 11.0)
    assert (spread.sum(2)[0] * rows**2).sum().sqrt().item() == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize("options", [{"share": 0.0}, {"share": 1.5}, {"smoothing": -1.0}])
def test_options_outside_their_range_are_refused(trained, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        PlaceDensity(trained.classifier, LAYERS, **options)


def test_an_unknown_layer_and_no_layer_are_refused(trained):
    with pytest.raises(ValueError, match=r"layer='backbone\.bloks\.1': .* no such layer"):
        PlaceDensity(trained.classifier, ["backbone.bloks.1"])
    with pytest.raises(ValueError, match="expected a layer at least"):
        PlaceDensity(trained.classifier, [])


def test_features_of_places_are_of_all_layers_on_the_grid_of_the_first(density, trained, images):
    found = density.places(images[:2])
    assert found.shape[:3] == density.log_density_map(images[:2]).shape
    alone = fitted(trained, LAYERS[:1]).places(images[:2])
    assert found.shape[-1] > alone.shape[-1]
    np.testing.assert_allclose(found[..., : alone.shape[-1]].detach(), alone.detach(), rtol=1e-5)
