"""Images that a user may have."""

import pytest
import torch
from torch import Tensor


@pytest.fixture
def images() -> Tensor:
    """Three images [3 16 16] in [0, 1]."""
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
