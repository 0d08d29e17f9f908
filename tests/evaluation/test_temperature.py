"""Temperature scaling."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cellxai.evaluation.temperature import cross_entropy, fit_temperature, slope_and_curvature


def drawn(seed: int, n: int = 80, k: int = 3, scale: float = 1.0):
    """Logits, and labels drawn as if the softmax of logits / ``scale`` were true."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, k, generator=generator)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return logits * scale, labels


@given(st.integers(0, 300))
@settings(max_examples=25, deadline=None)
def test_no_other_temperature_has_a_lower_cross_entropy(seed):
    logits, labels = drawn(seed)
    found = fit_temperature(logits, labels)
    wide = logits.double()
    reference = minimize_scalar(
        lambda log_t: cross_entropy(wide / float(torch.tensor(log_t).exp()), labels),
        bounds=(-4, 4), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    assert cross_entropy(wide / found, labels) <= reference.fun + 1e-12
    assert abs(slope_and_curvature(wide, labels, 1 / found)[0]) < 1e-11


def test_slope_and_curvature_are_those_that_autograd_finds():
    logits, labels = drawn(1)
    logits = logits.double()
    beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(beta * logits, labels)
    (slope,) = torch.autograd.grad(loss, beta, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, beta)
    expected = float(slope.detach()), float(curvature)
    assert slope_and_curvature(logits, labels, 0.7) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 8.0, 1e4])
def test_logits_of_another_scale_have_a_temperature_of_that_scale(scale):
    logits, labels = drawn(2)
    found = fit_temperature(logits.double() * scale, labels)
    assert found == pytest.approx(scale * fit_temperature(logits.double(), labels), rel=1e-9)


def test_the_temperature_that_made_the_labels_is_found_again():
    logits, labels = drawn(3, n=20_000, scale=2.5)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.03)


def test_a_shift_of_all_logits_of_an_image_changes_nothing():
    logits, labels = drawn(4)
    shifted = logits.double() + 50 * torch.arange(80)[:, None]
    found = fit_temperature(shifted, labels)
    assert found == pytest.approx(fit_temperature(logits, labels), rel=1e-8)


def test_images_that_are_all_right_set_no_temperature():
    logits, _ = drawn(5)
    with pytest.raises(ValueError, match=r"all 80 are right.*gets some wrong"):
        fit_temperature(logits, logits.argmax(-1))


def test_logits_that_point_away_from_the_labels_set_no_temperature():
    logits, _ = drawn(6)
    with pytest.raises(ValueError, match="say nothing about their classes"):
        fit_temperature(logits, logits.argmin(-1))
