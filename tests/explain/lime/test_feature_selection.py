import pytest
import torch
from sklearn.linear_model import LinearRegression

from cellxai.explain.lime.feature_selection import forward_selection, highest_weights, select
from cellxai.explain.lime.surrogate import (
    Evaluations,
    Moments,
    ridge_coefficients,
    weighted_moments,
)

N_SUPERPIXELS = 9
EVERYTHING = torch.ones(1, N_SUPERPIXELS, dtype=torch.bool)


@pytest.fixture
def evaluations() -> Evaluations:
    """One image of nine superpixels, two classes."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(1, 80, N_SUPERPIXELS, generator=generator) < 0.5
    scores = torch.randn(1, 80, 2, generator=generator, dtype=torch.float64)
    weights = torch.rand(1, 80, generator=generator, dtype=torch.float64)
    return Evaluations(masks, scores, weights)


@pytest.fixture
def moments(evaluations) -> Moments:
    return weighted_moments(evaluations)


def test_forward_selection_equals_a_slow_loop_over_least_squares(evaluations, moments):
    selected = forward_selection(moments, EVERYTHING[:, None].expand(1, 2, -1), 4)
    x, w = evaluations.masks[0].double().numpy(), evaluations.weights[0].numpy()
    for t in range(2):
        y, chosen = evaluations.scores[0, :, t].numpy(), []
        for _ in range(4):
            rest = [s for s in range(N_SUPERPIXELS) if s not in chosen]
            r2 = {}
            for s in rest:
                columns = x[:, [*chosen, s]]
                r2[s] = LinearRegression().fit(columns, y, w).score(columns, y, w)
            chosen.append(max(r2, key=r2.__getitem__))
        assert selected[0, t].nonzero()[:, 0].tolist() == sorted(chosen)


def test_the_highest_weights_are_those_of_a_ridge_on_all(moments):
    allowed = EVERYTHING[:, None].expand(1, 2, -1)
    size = ridge_coefficients(moments, allowed, 0.01).abs()
    selected = highest_weights(moments, allowed, 3)
    assert selected.sum(-1).tolist() == [[3, 3]]
    for t in range(2):
        assert size[0, t][selected[0, t]].min() > size[0, t][~selected[0, t]].max()


@pytest.mark.parametrize(("n_features", "chosen"), [(6, forward_selection), (7, highest_weights)])
def test_auto_goes_one_by_one_up_to_six(moments, n_features, chosen):
    expected = chosen(moments, EVERYTHING[:, None].expand(1, 2, -1), n_features)
    assert torch.equal(select(moments, EVERYTHING, n_features, "auto"), expected)


@pytest.mark.parametrize("method", ["auto", "forward_selection", "highest_weights", "lasso_path"])
def test_superpixels_that_an_image_does_not_have_are_never_selected(moments, method):
    exists = EVERYTHING.clone()
    exists[0, 6:] = False
    selected = select(moments, exists, 4, method)
    assert not selected[..., 6:].any()
    assert (selected.sum(-1) <= 4).all()
    assert selected.any()


def test_none_keeps_every_superpixel(moments):
    assert select(moments, EVERYTHING, 1, "none").all()


def test_the_lasso_keeps_all_where_scores_do_not_vary(moments):
    flat = Moments(
        moments.shown, torch.zeros_like(moments.cross), moments.mean_shown, moments.mean_scores
    )
    assert select(flat, EVERYTHING, 3, "lasso_path").all()
