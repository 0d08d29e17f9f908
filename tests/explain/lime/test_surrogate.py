import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import cosine_distances

from cellxai.explain.lime.surrogate import (
    Evaluations,
    fit_surrogate,
    is_constant,
    locality_weights,
)


@pytest.fixture
def problem():
    """Two images with three classes."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 60, 8, generator=generator) < 0.5
    scores = torch.randn(2, 60, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(2, 60, generator=generator, dtype=torch.float64)
    return Evaluations(masks, scores, weights)


def everything(problem):
    n_images, n_classes = len(problem.masks), problem.scores.shape[2]
    return torch.ones(n_images, n_classes, problem.masks.shape[2], dtype=torch.bool)


def test_the_kernel_is_lime_s_of_the_cosine_distance():
    masks = np.tril(np.ones((8, 8)))  # rows that show 1 … 8 superpixels
    distance = cosine_distances(masks, np.ones((1, 8)))[:, 0]
    expected = np.sqrt(np.exp(-(distance**2) / 0.25**2))
    np.testing.assert_allclose(locality_weights(8, 0.25)[1:].numpy(), expected, rtol=1e-12)
    assert locality_weights(8, 0.25)[0].item() == pytest.approx(
        np.exp(-8)
    )  # nothing shown: distance 1


def test_each_surrogate_is_scikit_learns_ridge_on_its_superpixels(problem):
    masks, scores, weights = problem.masks, problem.scores, problem.weights
    selected = torch.rand(2, 3, 8, generator=torch.Generator().manual_seed(1)) < 0.6
    surrogate = fit_surrogate(problem, selected)
    for b in range(2):
        for t in range(3):
            used = selected[b, t].numpy()
            x, y, w = masks[b].numpy()[:, used], scores[b, :, t].numpy(), weights[b].numpy()
            ridge = Ridge(1.0).fit(x, y, w)
            expected = np.zeros(8)
            expected[used] = ridge.coef_
            np.testing.assert_allclose(surrogate.coefficients[b, t].numpy(), expected, atol=1e-13)
            assert surrogate.intercept[b, t].item() == pytest.approx(ridge.intercept_, abs=1e-13)
            assert surrogate.r2[b, t].item() == pytest.approx(ridge.score(x, y, w), abs=1e-13)
            whole = ridge.predict(np.ones((1, used.sum()))).item()
            assert surrogate.local_prediction[b, t].item() == pytest.approx(whole, abs=1e-13)


def test_padding_changes_nothing(problem):
    expected = fit_surrogate(problem, everything(problem))
    rows = torch.cat([torch.arange(60), torch.zeros(5, dtype=torch.long)])
    padded = Evaluations(
        torch.nn.functional.pad(problem.masks, (0, 3, 0, 5)),
        problem.scores[:, rows],
        torch.nn.functional.pad(problem.weights, (0, 5)),
    )
    surrogate = fit_surrogate(padded, everything(padded))
    torch.testing.assert_close(
        surrogate.coefficients[..., :8], expected.coefficients, rtol=0, atol=1e-13
    )
    assert (surrogate.coefficients[..., 8:] == 0).all()
    torch.testing.assert_close(surrogate.r2, expected.r2, rtol=0, atol=1e-13)


def test_scores_that_do_not_vary_have_no_r2(problem):
    scores = problem.scores
    scores[0, :, 1] = 709.0
    scores[1, :, 2] = 709.0 * (1 + 1e-8 * scores[1, :, 2])  # rounding of single precision
    surrogate = fit_surrogate(problem, everything(problem))
    assert is_constant(scores).tolist() == [[False, True, False], [False, False, True]]
    assert torch.equal(surrogate.r2.isnan(), is_constant(scores))
