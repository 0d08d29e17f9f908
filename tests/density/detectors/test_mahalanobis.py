import numpy as np
import pytest
import torch
from drawn_features import LABELS, LOGITS, NEW, NEW_LOGITS, X, confidence
from sklearn.covariance import ledoit_wolf, shrunk_covariance

from cellxai.density.detectors import (
    Mahalanobis,
    RelativeMahalanobis,
)


def distances() -> tuple[np.ndarray, np.ndarray]:
    """Squared, of the new images from each class, and from all as one."""
    means = np.stack([X[k == LABELS].mean(0) for k in range(3)])
    within, among = X.numpy() - means[LABELS], (X - X.mean(0)).numpy()
    shared, share = ledoit_wolf(within, assume_centered=True)
    whole = shrunk_covariance(among.T @ among / len(X), share)

    def squared(mean, covariance):
        away = NEW.numpy() - mean
        return np.einsum("nf,fg,ng->n", away, np.linalg.inv(covariance), away)

    return np.stack([squared(mean, shared) for mean in means]), squared(X.numpy().mean(0), whole)


def test_mahalanobis_is_less_the_distance_from_the_nearest_class():
    np.testing.assert_allclose(confidence(Mahalanobis()), -distances()[0].min(0))


def test_relative_mahalanobis_takes_the_distance_from_all_off():
    of_classes, of_all = distances()
    np.testing.assert_allclose(confidence(RelativeMahalanobis()), of_all - of_classes.min(0))


@pytest.mark.parametrize("kind", [Mahalanobis, RelativeMahalanobis])
def test_normalised_features_forget_their_length(kind):
    detector = kind(normalise=True)
    expected = confidence(detector)
    lengths = 1 + torch.arange(len(NEW))[:, None]
    scaled = detector.confidence(NEW * lengths, NEW_LOGITS).numpy()
    np.testing.assert_allclose(scaled, expected, rtol=1e-9)
    plain = kind()
    plain.fit(X / X.norm(dim=1, keepdim=True), LOGITS, LABELS)
    of_directions = plain.confidence(NEW / NEW.norm(dim=1, keepdim=True), NEW_LOGITS).numpy()
    np.testing.assert_allclose(of_directions, expected, rtol=1e-9)
