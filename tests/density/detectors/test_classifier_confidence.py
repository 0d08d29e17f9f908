import numpy as np
import pytest
from drawn_features import NEW, NEW_LOGITS, confidence
from scipy.special import logsumexp, softmax

from cellxai.density.detectors import (
    Energy,
    MaxSoftmax,
)


def test_the_probability_of_the_predicted_class():
    expected = np.log(softmax(NEW_LOGITS.numpy(), axis=1).max(1))
    np.testing.assert_allclose(confidence(MaxSoftmax()), expected)


@pytest.mark.parametrize("temperature", [1.0, 10.0])
def test_the_energy(temperature):
    expected = temperature * logsumexp(NEW_LOGITS.numpy() / temperature, axis=1)
    np.testing.assert_allclose(confidence(Energy(temperature)), expected)


@pytest.mark.parametrize("kind", [MaxSoftmax, Energy])
def test_what_needs_logits_says_so(kind):
    assert kind.needs_logits
    with pytest.raises(ValueError, match="needs a classifier's logits"):
        kind().confidence(NEW, None)
