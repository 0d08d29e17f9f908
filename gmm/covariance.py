"""The four shapes of covariance: the only place that knows the name of the covariance type.

Inside, every factor is broadcastable over components and features: ``full`` has the inner shape
``run k d d`` and ``tied`` ``run 1 d d``; ``diag`` has ``run k d`` and ``spherical`` ``run k 1``. So
``tied`` is ``full`` with its scatter pooled over components, and ``spherical`` is ``diag`` with its
squares pooled over features. The outer shapes are scikit-learn's, with the axes of one left out.
"""

from gmm.covariance_base import Covariance
from gmm.covariance_matrices import Full, Tied
from gmm.covariance_variances import Diag, Spherical
from gmm.options import CovarianceType

__all__ = ["COVARIANCES", "Covariance"]

COVARIANCES: dict[CovarianceType, Covariance] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diag(),
    "spherical": Spherical(),
}
