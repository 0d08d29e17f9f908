import pytest
import torch

from cellxai.explain.base import Context
from cellxai.explain.lime.captum import CaptumLime
from cellxai.explain.lime.reference import LimeReference


def test_coefficients_equal_the_lime_packages_on_the_same_samples(net, images, targets, context):
    package = LimeReference(n_samples=200).attribute(net, images, targets, context)
    ours = CaptumLime(n_samples=200).attribute(net, images, targets, context)
    torch.testing.assert_close(
        ours.superpixel_values, package.superpixel_values, rtol=1e-5, atol=1e-7
    )
    torch.testing.assert_close(ours.surrogate_r2, package.surrogate_r2, rtol=1e-4, atol=1e-5)


def test_a_linear_model_is_fitted_perfectly(linear, images, targets, context, contributions):
    attribution = CaptumLime(n_samples=800).attribute(linear, images, targets, context)
    assert attribution.surrogate_r2.min() > 0.99
    # The ridge draws every coefficient a little towards 0.
    torch.testing.assert_close(
        attribution.superpixel_values.double(), contributions, rtol=0.2, atol=0.02
    )


def test_a_batch_equals_its_images_one_by_one(net, images, targets, context, maps_alone):
    together = CaptumLime(50).attribute(net, images, targets, context).values
    alone = maps_alone(CaptumLime(50), net)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_a_single_superpixel_and_scores_that_are_none_are_no_crash(net, images, targets, context):
    whole = Context(torch.zeros_like(context.superpixels), context.baseline)
    assert CaptumLime(20).attribute(net, images, targets, whole).values.isfinite().all()
    nothing = CaptumLime(20).attribute(lambda x: net(x) * torch.nan, images, targets, context)
    assert nothing.values.isnan().all()


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="n_samples=1"):
        CaptumLime(n_samples=1)
