import pytest
import torch

from cellxai.explain.base import Context
from cellxai.explain.hiding.shapley import KernelShap, ShapleyValueSampling


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(20)])
def test_labels_of_any_numbers_batches_and_seeds_give_the_same(
    explainer, net, images, targets, context, maps_alone
):
    together = explainer.attribute(net, images, targets, context).values
    gaps = Context(3 + 5 * context.superpixels, context.baseline, seed=7, batch_size=4)
    assert torch.equal(explainer.attribute(net, images, targets, gaps).values, together)
    alone = maps_alone(explainer, net)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("explainer", [ShapleyValueSampling(2), KernelShap(20)])
def test_an_image_without_finite_scores_is_nan_and_the_others_are_not(
    explainer, net, images, targets, context
):
    def broken(x):
        return net(x).masked_fill((x[:, 0, 0, 0] == images[1, 0, 0, 0])[:, None], torch.nan)

    values = explainer.attribute(broken, images, targets, context).values
    assert values.isnan().all((1, 2)).tolist() == [False, True, False]
