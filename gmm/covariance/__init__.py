"""The shapes of covariance, a file each, and the mathematics that depends on them."""

from gmm.covariance.base import Covariance
from gmm.covariance.types import COVARIANCES, covariance_of

__all__ = ["COVARIANCES", "Covariance", "covariance_of"]
