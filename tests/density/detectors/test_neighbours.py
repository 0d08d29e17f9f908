import numpy as np
import pytest
from drawn_features import NEW, X, confidence
from sklearn.neighbors import NearestNeighbors

from cellxai.density.detectors import (
    NearestNeighbours,
)


@pytest.mark.parametrize("k", [1, 7, 45, 1000])
def test_the_distance_of_the_kth_neighbour_by_direction(k):
    known, new = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (X.numpy(), NEW.numpy()))
    reached, _ = NearestNeighbors(n_neighbors=min(k, 45)).fit(known).kneighbors(new)
    np.testing.assert_allclose(confidence(NearestNeighbours(k)), -reached[:, -1], atol=1e-12)
