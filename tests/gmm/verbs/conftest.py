"""Files that the tests of the verbs share."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def folder(blobs: np.ndarray, tmp_path: Path) -> Path:
    """A folder with samples to fit and samples held out."""
    np.save(tmp_path / "x.npy", blobs[::2])
    np.save(tmp_path / "held_out.npy", blobs[1::2])
    return tmp_path
