"""Normal features and logits of three classes, and what a detector says of new ones."""

import numpy as np
import torch

from cellxai.density.detectors import Detector


def draw(n: int, seed: int, f: int = 6) -> torch.Tensor:
    """Draws standard normal features."""
    return torch.randn(n, f, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LABELS = torch.arange(45) % 3
X, NEW = draw(45, 0) + LABELS[:, None], draw(10, 1)
LOGITS, NEW_LOGITS = draw(45, 2, 3), draw(10, 3, 3)


def confidence(detector: Detector) -> np.ndarray:
    """The confidence of a detector in the new features, after a fit to the known ones."""
    detector.fit(X, LOGITS, LABELS)
    return detector.confidence(NEW, NEW_LOGITS).numpy()
