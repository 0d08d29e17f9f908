import captum.metrics
import pytest
import torch

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.infidelity import Infidelity, infidelity
from cellxai.explain.metrics.probing import random_subsets


@pytest.mark.parametrize("normalise", [False, True])
def test_it_is_that_of_captum_on_the_same_perturbations(
    net, images, targets, context, values, normalise
):
    labels, n = context.superpixels, 12
    hidden = random_subsets(images, labels, 0.5, n, seed=0)
    pixels = hidden.gather(2, labels.flatten(1)[:, None].expand(-1, n, -1)).view(3, n, 16, 16)

    def perturb(inputs, baselines):
        """Captum asks for (what is multiplied with the map, the changed image), image by image."""
        flat = pixels.flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        return flat.to(inputs) / 3, torch.where(flat, baselines, inputs)

    expected = captum.metrics.infidelity(
        net, perturb, images, values[:, None].expand(-1, 3, -1, -1), context.baseline,
        target=targets, n_perturb_samples=n, normalize=normalise,
    )  # fmt: skip
    metric = Infidelity(normalise, n_subsets=n)
    actual = metric.score(Case(net, images, targets, context), Attribution(values))
    torch.testing.assert_close(actual, expected.detach(), rtol=1e-4, atol=1e-7)


def test_true_contributions_to_a_linear_model_miss_by_nothing(
    linear, images, targets, context, contributions, quarters
):
    values = contributions[:, quarters].float()
    truth = Attribution(values, superpixel_values=contributions.float())
    for normalise in (False, True):
        actual = Infidelity(normalise).score(Case(linear, images, targets, context), truth)
        torch.testing.assert_close(actual, torch.zeros(3), rtol=0, atol=1e-10)


def test_normalised_the_scale_of_a_map_does_not_matter(net, images, targets, context, values):
    case = Case(net, images, targets, context)
    scores = [Infidelity().score(case, Attribution(factor * values)) for factor in (1, 1000, -1e-3)]
    torch.testing.assert_close(scores[0], scores[1])
    torch.testing.assert_close(scores[0], scores[2])


def test_no_evidence_scores_the_mean_squared_effect():
    effects = torch.tensor([[1.0, -2.0, 3.0]])
    for normalise in (False, True):
        actual = infidelity(torch.zeros(1, 3), effects, normalise)
        assert actual.item() == pytest.approx(14 / 3)


def test_a_share_that_hides_nothing_is_an_error():
    with pytest.raises(ValueError, match="share=0"):
        Infidelity(share=0.0)
