import numpy as np
import pytest
import torch

from gmm.estimator import GaussianMixture
from gmm.samples.noise import read_noise


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (np.zeros(450), r"shape \(450,\), expected \(450, 4\) variances or \(450, 4, 4\)"),
        ("none", "is no array of real numbers"),
        ([[1.0, 2.0], [3.0]], "is no array of real numbers"),
        (np.ones((450, 4)) * 1j, "is no array of real numbers .dtype torch.complex128"),
        (np.zeros((450, 3)), r"shape \(450, 3\), expected"),
        (np.full((450, 4), np.inf), r"noise_covariances\[0\] is not finite"),
        (-np.ones((450, 4)), r"noise_covariances\[0\] is \[-1.0, -1.0, -1.0, -1.0\], expected"),
        (np.ones((450, 4, 4)) - 3 * np.eye(4), "without negative eigenvalues"),
        (np.ones((450, 4, 4)) * np.arange(4), "a symmetric matrix"),
    ],
)
def test_noise_that_cannot_be_is_refused_in_one_line(noise, message, blobs):
    with pytest.raises(ValueError, match=message) as caught:
        GaussianMixture(2).fit(blobs, noise_covariances=noise)
    assert "\n" not in str(caught.value)


def test_noise_of_missing_values_is_not_read(blobs):
    x = torch.from_numpy(blobs)
    known = torch.ones_like(x, dtype=torch.bool)
    known[3, 1] = False
    variances = np.ones(blobs.shape)
    variances[3, 1] = np.inf
    assert read_noise(variances, x, known)[3].tolist() == [1, 0, 1, 1]
    covariances = np.broadcast_to(np.eye(4), (450, 4, 4)).copy()
    covariances[3, 1] = covariances[3, :, 1] = np.nan
    assert read_noise(covariances, x, known)[3].diagonal().tolist() == [1, 0, 1, 1]
