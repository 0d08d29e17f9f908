"""The rules of LRP against loops over inputs and outputs, written from the papers' formulas."""

from functools import partial

import pytest
import torch
from torch import nn

from cellxai.explain.backward.lrp_spreads import (
    Box,
    Layer,
    alpha_beta_spread,
    box_spread,
    epsilon_spread,
    flat_spread,
    gamma_spread,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "spread",
    [
        epsilon_spread,
        alpha_beta_spread,
        partial(alpha_beta_spread, alpha=2.0),
        gamma_spread,
        partial(gamma_spread, gamma=100.0),
    ],
)
@pytest.mark.parametrize("inputs", [torch.randn(4, 5), torch.zeros(4, 5), -torch.rand(4, 5)])
def test_every_rule_hands_on_all_it_gets(spread, inputs):
    weight, bias = drawn(6, 5).float(), drawn(6, seed=1).float()
    relevance = drawn(4, 6, seed=2).float()
    handed_on = spread(relevance, inputs, Layer(weight, bias, nn.functional.linear))
    torch.testing.assert_close(handed_on.sum(1), relevance.sum(1), rtol=1e-4, atol=1e-4)


def test_gamma_equals_the_formula_of_the_paper_where_nothing_is_negative():
    x, weight, relevance = drawn(3, 5).abs(), drawn(4, 5, seed=1), drawn(3, 4, seed=2).abs()
    weight = weight * torch.where((x @ weight.T).amin(0) > 0, 1.0, -1.0)[:, None]
    relevance = relevance * (x @ weight.T > 0)  # a ReLU above: what is off has no relevance
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for image in range(3):
        for k in range(4):
            raised = [float(w + 0.3 * max(w, 0)) for w in weight[k]]
            total = sum(float(x[image, j]) * raised[j] for j in range(5))
            for j in range(5):
                expected[image, j] += x[image, j] * raised[j] / total * relevance[image, k]
    layer = Layer(weight, None, nn.functional.linear)
    torch.testing.assert_close(gamma_spread(relevance, x, layer, 0.3), expected, rtol=1e-6, atol=0)


def test_gamma_raises_what_has_the_sign_of_the_output_and_spreads_the_bias():
    x, weight, bias = drawn(3, 5), drawn(4, 5, seed=1), drawn(4, seed=3)
    relevance, gamma = drawn(3, 4, seed=2), 0.5
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for image in range(3):
        for k in range(4):
            parts = [float(x[image, j] * weight[k, j]) for j in range(5)]
            sign = 1 if sum(parts) + float(bias[k]) >= 0 else -1
            raised = [part * (1 + gamma * (part * sign > 0)) for part in parts]
            of_bias = float(bias[k]) * (1 + gamma * (float(bias[k]) * sign > 0))
            size = sum(map(abs, parts))
            for j in range(5):
                share = raised[j] + of_bias * abs(parts[j]) / size
                expected[image, j] += share / (sum(raised) + of_bias) * relevance[image, k]
    layer = Layer(weight, bias, nn.functional.linear)
    torch.testing.assert_close(gamma_spread(relevance, x, layer, gamma), expected)


def test_gamma_of_0_is_epsilon_and_an_endless_one_is_z_plus():
    x, weight, bias = drawn(3, 5).abs(), drawn(4, 5, seed=1), drawn(4, seed=3)
    relevance, layer = drawn(3, 4, seed=2), Layer(weight, None, nn.functional.linear)
    with_bias = Layer(weight, bias, nn.functional.linear)
    none = gamma_spread(relevance, x, with_bias, 0.0)
    torch.testing.assert_close(none, epsilon_spread(relevance, x, with_bias))
    of_positive = relevance * (x @ weight.T > 0)
    endless = gamma_spread(of_positive, x, layer, 1e9)
    torch.testing.assert_close(endless, alpha_beta_spread(of_positive, x, layer))


def test_box_equals_the_formula_of_the_paper():
    x, weight, relevance = drawn(3, 5).clamp(-1, 1), drawn(4, 5, seed=1), drawn(3, 4, seed=2)
    box = Box(torch.full_like(x, -1.5), torch.full_like(x, 1.25))
    expected = torch.zeros(3, 5, dtype=torch.float64)
    for image in range(3):
        for k in range(4):
            parts = [
                float(x[image, j] * w - (-1.5) * max(w, 0) - 1.25 * min(w, 0))
                for j, w in enumerate(weight[k].tolist())
            ]
            for j in range(5):
                expected[image, j] += parts[j] / sum(parts) * relevance[image, k]
    layer = Layer(weight, drawn(4), nn.functional.linear)  # the rule knows no bias
    torch.testing.assert_close(box_spread(relevance, x, layer, box), expected)


@pytest.mark.parametrize("spread", [box_spread, flat_spread])
def test_rules_of_pixels_hand_on_all_and_nothing_to_what_is_padded_in(spread):
    x = drawn(2, 3, 6, 6).clamp(-1, 1)
    padded = nn.functional.pad(x, (1, 0, 1, 0))
    box = Box(
        *(nn.functional.pad(torch.full_like(x, end), (1, 0, 1, 0)) for end in (-1.0, 1.0)),
    )
    weight, relevance = drawn(4, 3, 3, 3, seed=1), drawn(2, 4, 3, 3, seed=2)
    layer = Layer(weight, None, partial(nn.functional.conv2d, stride=2))
    handed_on = spread(relevance, padded, layer, box)
    torch.testing.assert_close(handed_on.sum((1, 2, 3)), relevance.sum((1, 2, 3)))
    assert not handed_on[:, :, 0].any()
    assert not handed_on[:, :, :, 0].any()


@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_an_image_at_the_corner_of_the_box_loses_nothing(x):
    """Where all weights are positive, and all pixels at their least, no input has a share."""
    pixels = torch.full((1, 5), x, dtype=torch.float64)
    box = Box(torch.full_like(pixels, -1), torch.full_like(pixels, 1))
    weight = x * -drawn(2, 5).abs()
    relevance = torch.tensor([[2.0, -0.5]], dtype=torch.float64)
    layer = Layer(weight, None, nn.functional.linear)
    handed_on = box_spread(relevance, pixels, layer, box)
    torch.testing.assert_close(handed_on.sum(), relevance.sum())


def test_flat_gives_every_pixel_that_an_output_sees_the_same():
    x, weight, relevance = drawn(1, 2, 4, 4), drawn(3, 2, 3, 3, seed=1), drawn(1, 3, 4, 4, seed=2)
    box = Box(torch.full_like(x, -9), torch.full_like(x, 9))
    layer = Layer(weight, None, partial(nn.functional.conv2d, padding=1))
    expected = torch.zeros_like(x)
    for row in range(4):
        for column in range(4):
            rows = slice(max(row - 1, 0), row + 2)
            columns = slice(max(column - 1, 0), column + 2)
            seen = expected[:, :, rows, columns]
            seen += relevance[0, :, row, column].sum() / seen.numel()
    torch.testing.assert_close(flat_spread(relevance, x, layer, box), expected)
