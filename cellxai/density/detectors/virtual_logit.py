"""What the classifier's last layer does not see, as the logit of one more class."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.detectors.base import Detector, require_logits

# Number of principal axes for at least so many features, as in the paper's experiments.
PAPER_AXES = ((1500, 1000), (768, 512))
RELATIVE_RANK = 1e-5  # of the largest singular value: what is less is rounding of float32
LEAST_RESIDUAL = 1e-12  # mean length, in units of the features, below which nothing is left over


class VirtualLogit(Detector):
    """Energy minus the virtual logit: ViM, Wang et al. (2022), arXiv:2203.10807, eq. 3 to 6.

    The virtual logit is the length of the part of the features that the principal axes of known
    images lack, on a scale on which it is as large as the largest logit on average. The axes lie
    about the point at which all logits are 0.

    Weights and bias of the last layer are those that explain the logits of known images by their
    features with least squares. With more images than features these are the layer's own; with
    fewer they are its part in the directions in which known images vary.

    Args:
        n_axes: Number of principal axes; ``None`` for that of the paper: 1000 from 1500 features
            on, 512 from 768, half of the features below. More than half the number of images are
            never used, since nothing would be left over.

    Raises:
        ValueError: If ``n_axes`` is below 1.
    """

    needs_logits = True

    def __init__(self, n_axes: int | None = None) -> None:
        if n_axes is not None and n_axes < 1:
            raise ValueError(f"n_axes={n_axes}: expected 1 or more, or null for that of the paper")
        self.n_axes = n_axes

    def fit(
        self,
        features: Float[Tensor, "n f"],
        logits: Float[Tensor, "n k"] | None,
        labels: Int[Tensor, " n"],
    ) -> None:
        """Learns the origin, the axes and the scale α."""
        known_logits = require_logits(self, logits)
        self.origin_ = zero_of_logits(features, known_logits)
        centred = features - self.origin_
        n_images, n_features = features.shape
        n_axes = self.n_axes or paper_axes(n_features)
        n_axes = min(n_axes, max(1, n_images // 2), n_features)
        _, _, axes = torch.linalg.svd(centred, full_matrices=False)
        self.axes_ = axes[:n_axes]
        left_over = self._residual(features).mean()
        # As many axes as directions in which images vary leave nothing over to compare with.
        has_residual = bool(left_over > LEAST_RESIDUAL)
        self.scale_ = known_logits.amax(1).mean() / left_over if has_residual else torch.zeros(())

    def confidence(
        self, features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"] | None
    ) -> Float[Tensor, " n"]:
        """See :meth:`Detector.confidence`: energy minus virtual logit."""
        virtual = self.scale_ * self._residual(features)
        return require_logits(self, logits).logsumexp(1) - virtual

    def _residual(self, features: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        """Length of what the principal axes lack."""
        centred = features - self.origin_
        return (centred - centred @ self.axes_.T @ self.axes_).norm(dim=1)


def zero_of_logits(
    features: Float[Tensor, "n f"], logits: Float[Tensor, "n k"]
) -> Float[Tensor, " f"]:
    """The point nearest to 0 at which logits that are affine in the features are 0: −W⁺ b."""
    mean, mean_logits = features.mean(0), logits.mean(0)
    weights = torch.linalg.pinv(features - mean, rtol=RELATIVE_RANK) @ (logits - mean_logits)
    bias = mean_logits - mean @ weights
    return -torch.linalg.pinv(weights.T, rtol=RELATIVE_RANK) @ bias


def paper_axes(n_features: int) -> int:
    """Number of principal axes in the paper's experiments."""
    for least, n_axes in PAPER_AXES:
        if n_features >= least:
            return n_axes
    return max(1, n_features // 2)
