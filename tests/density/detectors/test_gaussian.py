import numpy as np
import pytest
import torch
from drawn_features import LABELS, LOGITS, X, draw
from sklearn.covariance import ledoit_wolf

from cellxai.density.detectors import (
    ClassGaussians,
    Mahalanobis,
    RelativeMahalanobis,
)
from cellxai.density.detectors.gaussian import shrunken_covariance


@pytest.mark.parametrize(("n", "f"), [(40, 5), (8, 30)])
def test_the_shrunken_covariance_is_that_of_scikit_learn(n, f):
    x = draw(n, 4, f)
    centred = x - x.mean(0)
    expected, _ = ledoit_wolf(centred.numpy(), assume_centered=True)
    np.testing.assert_allclose(shrunken_covariance(centred), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [Mahalanobis, RelativeMahalanobis, ClassGaussians])
def test_a_stranger_in_a_direction_that_no_image_has_is_noticed(kind):
    x = torch.cat([X, torch.zeros(45, 60, dtype=torch.float64)], 1)
    beside = x[:5].clone()
    beside[:, -1] = 50.0
    detector = kind()
    detector.fit(x, LOGITS, LABELS)
    assert detector.confidence(beside, None).max() < detector.confidence(x, None).min()
