import numpy as np
import torch
from scipy.stats import pearsonr, rankdata, spearmanr

from cellxai.explain.metrics.correlation import midranks, pearson, spearman

GENERATOR = np.random.default_rng(0)
X, Y = torch.from_numpy(GENERATOR.integers(0, 5, (2, 6, 30)).astype(float))  # many ties


def test_correlations_equal_those_of_scipy():
    expected = [pearsonr(x, y).statistic for x, y in zip(X, Y, strict=True)]
    torch.testing.assert_close(pearson(X, Y), torch.tensor(expected, dtype=torch.float64))
    expected = [spearmanr(x, y).statistic for x, y in zip(X, Y, strict=True)]
    torch.testing.assert_close(spearman(X, Y), torch.tensor(expected, dtype=torch.float64))


def test_ranks_equal_those_of_scipy():
    assert (midranks(X).numpy() == rankdata(X.numpy(), axis=1)).all()


def test_places_unknown_in_either_are_left_out():
    holed, other = X.clone(), Y.clone()
    holed[:, 3], other[:, 7] = torch.nan, torch.nan
    kept = [i for i in range(30) if i not in (3, 7)]
    torch.testing.assert_close(pearson(holed, other), pearson(X[:, kept], Y[:, kept]))
    torch.testing.assert_close(spearman(holed, other), spearman(X[:, kept], Y[:, kept]))


def test_what_never_varies_correlates_with_nothing():
    constant = torch.full((1, 30), 0.1)  # whose mean is not exactly 0.1
    nothing = torch.full((1, 30), torch.nan)
    for still in (constant, nothing):
        assert pearson(still, Y[:1].float()).isnan().all()
        assert spearman(Y[:1].float(), still).isnan().all()
