"""ViM against its formulas in numpy, with the weights of the last layer known."""

import numpy as np
import pytest
import torch
from drawn_features import LABELS, NEW, X
from scipy.special import logsumexp

from cellxai.density.detectors import VirtualLogit
from cellxai.density.detectors.virtual_logit import zero_of_logits

W = torch.randn(6, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
B = torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)


def by_the_paper(n_axes: int) -> np.ndarray:
    """Eq. 3 to 6 of arXiv:2203.10807, before the softmax that they end in."""
    origin = -np.linalg.pinv(W.numpy().T) @ B.numpy()
    known, new = X.numpy() - origin, NEW.numpy() - origin
    eigenvalues, vectors = np.linalg.eigh(known.T @ known)
    residual = vectors[:, np.argsort(eigenvalues)[::-1]][:, n_axes:]
    logits, new_logits = (X @ W + B).numpy(), (NEW @ W + B).numpy()
    alpha = logits.max(1).sum() / np.linalg.norm(known @ residual, axis=1).sum()
    return logsumexp(new_logits, axis=1) - alpha * np.linalg.norm(new @ residual, axis=1)


@pytest.mark.parametrize("n_axes", [1, 3, 5])
def test_confidence_is_that_of_the_paper(n_axes):
    detector = VirtualLogit(n_axes)
    detector.fit(X, X @ W + B, LABELS)
    found = detector.confidence(NEW, NEW @ W + B).numpy()
    np.testing.assert_allclose(found, by_the_paper(n_axes), rtol=1e-9)


def test_all_logits_are_zero_at_the_origin():
    origin = zero_of_logits(X, X @ W + B)
    torch.testing.assert_close(origin @ W + B, torch.zeros(3, dtype=torch.float64))


def test_fewer_images_than_features_still_leave_something_over():
    detector = VirtualLogit()
    detector.fit(X[:4], X[:4] @ W + B, LABELS[:4])
    assert torch.isfinite(detector.confidence(NEW, NEW @ W + B)).all()
    assert detector.scale_ > 0


def test_where_nothing_is_left_over_the_energy_alone_answers():
    known = X.clone()
    known[:, 5] = 0.0
    detector = VirtualLogit(5)
    detector.fit(known, known @ W + B, LABELS)
    away = NEW.clone()
    away[:, 5] = 0.0
    logits = away @ W + B
    # Nothing is left over of known images, so that the scale of a residual is unknown.
    torch.testing.assert_close(detector.confidence(away, logits), logits.logsumexp(1))


def test_no_axis_is_refused():
    with pytest.raises(ValueError, match="n_axes=0"):
        VirtualLogit(0)
