import numpy as np
import torch

from gmm.covariance import COVARIANCES

DIAG = COVARIANCES["diag"]


def test_a_variance_of_each_feature_and_component_is_counted():
    assert DIAG.shape(3, 4) == DIAG.inner_shape(3, 4) == (3, 4)
    assert DIAG.n_parameters(3, 4) == 12


def test_some_features_alone_keep_their_own_variances():
    chol = torch.tensor([[[1.0, 0.5, 0.25]]], dtype=torch.float64)
    kept = torch.tensor([2, 0])
    marginal = DIAG.covariances(DIAG.marginal(chol, kept))
    expected = DIAG.dense(chol, 1, 3)[..., kept[:, None], kept].diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(marginal, expected)
    np.testing.assert_allclose(marginal[0, 0], [16, 1])
