import numpy as np
from drawn_features import NEW, X, confidence
from sklearn.decomposition import PCA

from cellxai.density.detectors import (
    Reconstruction,
)


def test_the_error_of_the_reconstruction():
    pca = PCA(0.7, svd_solver="full").fit(X)
    expected = -np.square(NEW.numpy() - pca.inverse_transform(pca.transform(NEW))).mean(1)
    np.testing.assert_allclose(confidence(Reconstruction(0.7)), expected)
