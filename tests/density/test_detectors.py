import numpy as np
import pytest
import torch
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf, shrunk_covariance
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from cellxai.density.detectors import (
    ClassGaussians,
    Energy,
    Mahalanobis,
    MaxSoftmax,
    NearestNeighbours,
    Reconstruction,
    RelativeMahalanobis,
)
from cellxai.density.detectors.gaussian import shrunken_covariance

EVERY = (ClassGaussians, Energy, Mahalanobis, MaxSoftmax, NearestNeighbours, Reconstruction,
         RelativeMahalanobis)  # fmt: skip


def draw(n: int, seed: int, f: int = 6) -> torch.Tensor:
    return torch.randn(n, f, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, NEW, LABELS = draw(45, 0), draw(10, 1), torch.arange(45) % 3
LOGITS, NEW_LOGITS = draw(45, 2, 3), draw(10, 3, 3)
X = X + LABELS[:, None]


def confidence(detector, x=X, new=NEW) -> np.ndarray:
    detector.fit(x, LOGITS, LABELS)
    return detector.confidence(new, NEW_LOGITS).numpy()


@pytest.mark.parametrize(("n", "f"), [(40, 5), (8, 30)])
def test_the_shrunken_covariance_is_that_of_scikit_learn(n, f):
    x = draw(n, 4, f)
    centred = x - x.mean(0)
    expected, _ = ledoit_wolf(centred.numpy(), assume_centered=True)
    np.testing.assert_allclose(shrunken_covariance(centred), expected, rtol=1e-6, atol=1e-9)


def test_the_probability_of_the_predicted_class():
    expected = np.log(softmax(NEW_LOGITS.numpy(), axis=1).max(1))
    np.testing.assert_allclose(confidence(MaxSoftmax()), expected)


@pytest.mark.parametrize("temperature", [1.0, 10.0])
def test_the_energy(temperature):
    expected = temperature * logsumexp(NEW_LOGITS.numpy() / temperature, axis=1)
    np.testing.assert_allclose(confidence(Energy(temperature)), expected)


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


@pytest.mark.parametrize("kind", [Mahalanobis, RelativeMahalanobis, ClassGaussians])
def test_a_stranger_in_a_direction_that_no_image_has_is_noticed(kind):
    x = torch.cat([X, torch.zeros(45, 60, dtype=torch.float64)], 1)
    beside = x[:5].clone()
    beside[:, -1] = 50.0
    detector = kind()
    detector.fit(x, LOGITS, LABELS)
    assert detector.confidence(beside, None).max() < detector.confidence(x, None).min()


def test_a_gaussian_per_class_is_their_weighted_sum():
    parts = [X[k == LABELS] for k in range(3)]
    expected = logsumexp(
        [
            multivariate_normal(
                part.mean(0), ledoit_wolf((part - part.mean(0)).numpy(), assume_centered=True)[0]
            ).logpdf(NEW)
            + np.log(len(part) / len(X))
            for part in parts
        ],
        axis=0,
    )
    np.testing.assert_allclose(confidence(ClassGaussians()), expected, rtol=1e-6)


@pytest.mark.parametrize("k", [1, 7, 45, 1000])
def test_the_distance_of_the_kth_neighbour_by_direction(k):
    known, new = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (X.numpy(), NEW.numpy()))
    found, _ = NearestNeighbors(n_neighbors=min(k, 45)).fit(known).kneighbors(new)
    np.testing.assert_allclose(confidence(NearestNeighbours(k)), -found[:, -1], atol=1e-12)


def test_the_error_of_the_reconstruction():
    pca = PCA(0.7, svd_solver="full").fit(X)
    expected = -np.square(NEW.numpy() - pca.inverse_transform(pca.transform(NEW))).mean(1)
    np.testing.assert_allclose(confidence(Reconstruction(0.7)), expected)


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


@pytest.mark.parametrize("kind", [MaxSoftmax, Energy])
def test_what_needs_logits_says_so(kind):
    assert kind.needs_logits
    with pytest.raises(ValueError, match="needs a classifier's logits"):
        kind().confidence(NEW, None)


def test_settings_outside_their_range_are_named():
    with pytest.raises(ValueError, match="temperature=0"):
        Energy(0.0)
    with pytest.raises(ValueError, match="k=0"):
        NearestNeighbours(0)
