import numpy as np
import pytest
import torch

from cellxai.explain.base import Attribution, Case
from cellxai.explain.metrics.monotonicity import Monotonicity
from cellxai.explain.score import LogDensity, Scored, Sigmoid


def probabilities_by_loop(net, image, fill, labels, values, target):
    """The probability while superpixels appear, the least important first, one call a step."""
    order = sorted(range(int(labels.max()) + 1), key=lambda s: float(values[labels == s].mean()))
    shown, curve = fill.clone(), []
    for step in [None, *order]:
        if step is not None:
            shown[:, labels == step] = image[:, labels == step]
        with torch.no_grad():
            curve.append(float(net(shown[None]).softmax(1)[0, target]))
    return np.array(curve)


def test_it_is_the_share_of_steps_that_do_not_lower_the_probability(
    net, images, targets, context, values
):
    curves = [
        probabilities_by_loop(net, *row)
        for row in zip(images, context.baseline, context.superpixels, values, targets, strict=True)
    ]
    expected = [float(np.mean(np.diff(curve) >= 0)) for curve in curves]
    assert len(set(expected)) > 1
    actual = Monotonicity().score(Case(net, images, targets, context), Attribution(values))
    np.testing.assert_allclose(actual, expected)


def test_a_map_in_the_order_of_the_true_contributions_is_monotonous_once_they_are_positive(
    linear, images, targets, context, contributions
):
    """Dark superpixels lower the score: they come first, and each of them is a fall."""
    labels = context.superpixels
    values = torch.stack(
        [own[own_labels] for own, own_labels in zip(contributions, labels, strict=True)]
    )
    case = Case(linear.double(), images.double(), targets, context)
    expected = (contributions >= 0).double().mean(1)
    model = Scored(linear, Sigmoid())  # monotone in one logit alone, as the softmax is not
    actual = Monotonicity().score(case.with_model(model), Attribution(values))
    torch.testing.assert_close(actual.double(), expected)


@pytest.mark.parametrize("answer", [1.0, float("nan")])
def test_a_score_that_never_changes_or_is_unknown_says_nothing(
    answer, images, targets, context, values
):
    def model(x):
        return x.new_full((len(x), 3), answer)

    actual = Monotonicity().score(Case(model, images, targets, context), Attribution(values))
    assert actual.isnan().all()


def test_a_density_is_followed_itself(net, images, targets, context, values):
    model = Scored(net, LogDensity(lambda outputs: -outputs.square().sum(1)))
    case = Case(model, images, torch.zeros_like(targets), context)
    actual = Monotonicity("pixels", 8).score(case, Attribution(values))
    assert ((actual >= 0) & (actual <= 1)).all()


def test_a_curve_without_steps_is_refused():
    with pytest.raises(ValueError, match="n_steps=0"):
        Monotonicity("pixels", 0)
