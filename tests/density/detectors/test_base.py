import numpy as np
import pytest
import torch
from drawn_features import LABELS, LOGITS, X, confidence, draw

from cellxai.density.detectors import (
    ClassGaussians,
    Energy,
    Mahalanobis,
    MaxSoftmax,
    NearestNeighbours,
    Reconstruction,
    RelativeMahalanobis,
)

EVERY = (ClassGaussians, Energy, Mahalanobis, MaxSoftmax, NearestNeighbours, Reconstruction,
         RelativeMahalanobis)  # fmt: skip


@pytest.mark.parametrize("kind", EVERY)
def test_few_images_of_many_features_and_a_class_of_one_image_are_no_obstacle(kind):
    x, new = draw(6, 5, 50), draw(4, 6, 50)
    detector = kind()
    detector.fit(x, draw(6, 7, 3), torch.tensor([0, 0, 0, 1, 1, 2]))
    assert detector.confidence(new, draw(4, 8, 3)).isfinite().all()


@pytest.mark.parametrize("kind", EVERY)
def test_a_second_fit_forgets_the_first(kind):
    twice, once = kind(), kind()
    twice.fit(X * 3 + 1, LOGITS, LABELS)
    np.testing.assert_array_equal(confidence(twice), confidence(once))


def test_settings_outside_their_range_are_named():
    with pytest.raises(ValueError, match="temperature=0"):
        Energy(0.0)
    with pytest.raises(ValueError, match="k=0"):
        NearestNeighbours(0)
