import captum.metrics
import numpy as np
import pytest
import torch

from cellxai.explain.backward.gradients import Saliency
from cellxai.explain.base import Attribution, Case, Context, Explainer
from cellxai.explain.baselines import SuperpixelMeanBaseline
from cellxai.explain.controls import Edges, RandomAttribution
from cellxai.explain.metrics.agreement import RankCorrelation, TopKOverlap
from cellxai.explain.metrics.noise import uniform_cube
from cellxai.explain.metrics.stability import (
    AverageSensitivity,
    LocalLipschitz,
    MaxSensitivity,
    RelativeInputStability,
    SeedStability,
    SegmentationStability,
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


def noisy_maps(net, images, targets, context, n, radius):
    """Per image: the map, and the noisy images with their maps, one call each, as arrays."""
    for image, target, labels, fill in zip(
        images, targets, context.superpixels, context.baseline, strict=True
    ):
        alone = Context(labels[None], fill[None])

        def map_of(x, target=target, alone=alone):
            return Saliency().attribute(net, x[None], target[None], alone).values[0].numpy()

        noisy = [image + radius * cube for cube in uniform_cube(image, n, seed=0)]
        yield image, target, map_of(image), [(x, map_of(x)) for x in noisy]


def norm(values):
    return float(np.sqrt((np.asarray(values, np.float64) ** 2).sum()))


def test_average_sensitivity_is_the_mean_over_the_noise(net, images, targets, context):
    expected = [
        np.mean([norm(after - before) / norm(before) for _, after in noisy])
        for _, _, before, noisy in noisy_maps(net, images, targets, context, 4, 0.05)
    ]
    args = about(Saliency(), net, images, targets, context)
    actual = AverageSensitivity(0.05, 4).score(*args)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    assert (actual <= MaxSensitivity(0.05, 4).score(*args)).all()


@pytest.mark.parametrize("normalise", [True, False])
def test_the_lipschitz_estimate_is_the_steepest_change(normalise, net, images, targets, context):
    expected = [
        max(norm(after - before) / norm(x - image) for x, after in noisy)
        / (norm(before) if normalise else 1)
        for image, _, before, noisy in noisy_maps(net, images, targets, context, 4, 0.05)
    ]
    args = about(Saliency(), net, images, targets, context)
    actual = LocalLipschitz(normalise, 0.05, 4).score(*args)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_a_linear_map_has_its_own_lipschitz_constant(net, images, targets, context):
    class Tripled(Explainer):
        def attribute(self, model, images, targets, context):
            return Attribution(3 * images[:, 0])

    grey = images[:, :1]
    args = about(Tripled(), lambda x: net(x.expand(-1, 3, -1, -1)), grey, targets, context)
    actual = LocalLipschitz(normalise=False).score(*args)
    torch.testing.assert_close(actual, torch.full((3,), 3.0), rtol=1e-3, atol=0)


def test_relative_input_stability_asks_only_noise_that_keeps_the_class(images, targets, context):
    torch.manual_seed(1)
    undecided = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(784, 3)
    ).eval()
    dark = images.clone()
    dark[:, :, :4] = 0  # a divisor of 0
    expected, n_kept, epsilon = [], 0, 1e-6
    for image, _, before, noisy in noisy_maps(undecided, dark, targets, context, 12, 0.3):
        ratios = []
        for x, after in noisy:
            if undecided(x[None]).argmax() != undecided(image[None]).argmax():
                continue
            of_map = (after - before) / np.where(before == 0, epsilon, before)
            image_ = image.numpy()
            of_image = (x.numpy() - image_) / np.where(image_ == 0, epsilon, image_)
            ratios.append(norm(of_map) / max(norm(of_image), epsilon))
        n_kept += len(ratios)
        expected.append(max(ratios, default=np.nan))
    assert 0 < n_kept < 36
    args = about(Saliency(), undecided, dark, targets, context)
    actual = RelativeInputStability(0.3, 12).score(*args)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)


def test_noise_that_always_changes_the_class_says_nothing(images, targets, context):
    def seesaw(x):  # every other call another class
        seesaw.turn = not getattr(seesaw, "turn", False)
        return torch.tensor([[1.0, 0.0]] if seesaw.turn else [[0.0, 1.0]]).expand(len(x), 2)

    case = Case(seesaw, images, torch.zeros_like(targets), context)
    once = Attribution(images[:, 0])
    actual = RelativeInputStability(n_samples=1).score(Edges(), case, once)
    assert actual.isnan().all()


@pytest.mark.parametrize(
    "metric", [AverageSensitivity(), LocalLipschitz(), RelativeInputStability()]
)
def test_a_noisy_map_of_nan_gives_no_number(metric, net, images, targets, context):
    class Fragile(Explainer):
        def attribute(self, model, images, targets, context):
            return Attribution(images[:, 0].sqrt())  # of a negative pixel: NaN

    dark = images.clamp(min=0.1)
    dark[0, 0, 1:] = 0
    actual = metric.score(*about(Fragile(), net, dark, targets, context))
    assert actual.isnan().tolist() == [True, False, False]


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
