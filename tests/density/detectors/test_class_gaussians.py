import numpy as np
from drawn_features import LABELS, NEW, X, confidence
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf

from cellxai.density.detectors import (
    ClassGaussians,
)


def test_a_gaussian_per_class_is_their_weighted_sum():
    parts = [X[k == LABELS] for k in range(3)]
    expected = logsumexp(
        [
            multivariate_normal(
                part.mean(0), ledoit_wolf((part - part.mean(0)).numpy(), assume_centered=True)[0]
            ).logpdf(NEW)
            + np.log(len(part) / len(X))
            for part in parts
        ],
        axis=0,
    )
    np.testing.assert_allclose(confidence(ClassGaussians()), expected, rtol=1e-6)
