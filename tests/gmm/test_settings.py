import numpy as np
import pytest
import torch

from gmm.settings import check_weights


def test_negative_weights_are_refused_even_if_they_sum_to_one():
    with pytest.raises(ValueError, match=r"least element -0\.5"):
        check_weights(torch.from_numpy(np.array([1.5, -0.5])), "weights_init", (2,))
