"""Samples that the tests of this folder share."""

import numpy as np
import pytest


@pytest.fixture
def holed(blobs: np.ndarray) -> np.ndarray:
    """The blobs with a fifth of their values missing, and nothing known of the first."""
    holes = np.random.default_rng(0).random(blobs.shape) < 0.2
    holes[0] = True
    return np.where(holes, np.nan, blobs)
