import captum.metrics
import pytest
import torch

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import Attribution, Case, Explainer
from cellxai.explain.baselines import SuperpixelMeanBaseline
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.agreement import RankCorrelation, TopKOverlap
from cellxai.explain.metrics.stability import (
    MaxSensitivity,
    SeedStability,
    SegmentationStability,
    uniform_cube,
)
from cellxai.explain.superpixels.methods import Grid


class Means(Explainer):
    """Superpixel means of the baseline: what depends on nothing but the context."""

    def attribute(self, model, images, targets, context):
        pairs = zip(context.baseline, context.superpixels, strict=True)
        grey = [SuperpixelMeanBaseline().fill(b[None], s[None])[0, 0] for b, s in pairs]
        return Attribution(torch.stack(grey) * images.mean((1, 2, 3))[:, None, None])


def about(explainer, net, images, targets, context):
    case = Case(net, images, targets, context)
    return explainer, case, case.ask(explainer)


def test_max_sensitivity_is_that_of_captum_on_the_same_noise(net, images, targets, context):
    n = 4
    noise = torch.cat([uniform_cube(image, n, seed=0) for image in images])

    def explain(batch, target):
        inputs = batch if isinstance(batch, torch.Tensor) else batch[0]  # first comes a tuple
        return (Saliency().attribute(net, inputs, target, context).values,)

    expected = captum.metrics.sensitivity_max(
        explain, images, target=targets, n_perturb_samples=n,
        perturb_func=lambda x: x + 0.05 * noise,
    )  # fmt: skip
    actual = MaxSensitivity(0.05, n).score(*about(Saliency(), net, images, targets, context))
    torch.testing.assert_close(actual, expected.to(actual), rtol=1e-4, atol=1e-6)


def test_what_ignores_the_image_is_insensitive(net, images, targets, context):
    class Fixed(Explainer):
        def attribute(self, model, images, targets, context):
            ramp = torch.arange(256.0).view(1, 16, 16)
            return Attribution(ramp.expand(len(images), -1, -1))

    actual = MaxSensitivity().score(*about(Fixed(), net, images, targets, context))
    assert actual.tolist() == [0, 0, 0]


def test_noise_belongs_to_the_image(images):
    assert torch.equal(uniform_cube(images[0], 5, 0), uniform_cube(images[0], 5, 0))
    assert (uniform_cube(images[0], 5, 0) != uniform_cube(images[1], 5, 0)).any()
    cube = uniform_cube(images[0], 50, 0)
    assert -1 <= cube.min() < -0.99
    assert 0.99 < cube.max() <= 1


def test_seeds_change_nothing_but_what_is_random(net, images, targets, context):
    stable = SeedStability(n_seeds=3).score(*about(Edges(), net, images, targets, context))
    torch.testing.assert_close(stable, torch.ones(3))
    noisy = SeedStability(RankCorrelation("pixels")).score(
        *about(RandomAttribution(), net, images, targets, context)
    )
    assert noisy.abs().max() < 0.3


def test_the_score_is_the_mean_over_pairs_of_seeds(net, images, targets, context):
    explainer, similarity = RandomAttribution(), RankCorrelation("pixels")
    args = about(explainer, net, images, targets, context)
    maps = [
        explainer.attribute(net, images, targets, type(context)(
            context.superpixels, context.baseline, seed
        ))
        for seed in (7, 8, 9)
    ]  # fmt: skip
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = sum(similarity.between(maps[i], maps[j], context) for i, j in pairs) / 3
    torch.testing.assert_close(SeedStability(similarity, n_seeds=3).score(*args), expected)
    overlap = SeedStability(TopKOverlap(2)).score(*args)
    assert ((overlap >= 0) & (overlap <= 1)).all()


def test_only_what_uses_superpixels_changes_with_them(net, images, targets, context):
    metric = SegmentationStability(Grid(size_px=3))
    without = metric.score(*about(Edges(), net, images, targets, context))
    torch.testing.assert_close(without, torch.ones(3))
    args = about(Means(), net, images, targets, type(context)(context.superpixels, images))
    actual = metric.score(*args)
    assert (actual < 0.9).all()


def test_a_baseline_of_superpixels_is_filled_anew(net, images, targets, context):
    args = about(Means(), net, images, targets, type(context)(context.superpixels, images))
    kept = SegmentationStability(Grid(size_px=3)).score(*args)
    anew = SegmentationStability(Grid(size_px=3), SuperpixelMeanBaseline()).score(*args)
    torch.testing.assert_close(kept, anew)  # the mean of a superpixel's mean is its mean
    coarse = type(context)(
        context.superpixels, SuperpixelMeanBaseline().fill(images, context.superpixels)
    )
    args = about(Means(), net, images, targets, coarse)
    assert (SegmentationStability(Grid(size_px=3)).score(*args) != anew).any()


def test_one_seed_is_no_comparison():
    with pytest.raises(ValueError, match="n_seeds=1"):
        SeedStability(n_seeds=1)
