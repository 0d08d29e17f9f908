"""The covariance types by name: the only place that has mathematics for a name.

``gmm/options.py`` lists the names for the help, without torch; ``gmm/plots/mixture.py`` reads the
attributes of scikit-learn's mixtures by them.

Inside, every factor is broadcastable over components and features: ``full`` has the inner shape
``run k d d`` and ``tied`` ``run 1 d d``; ``diag`` has ``run k d`` and ``spherical`` ``run k 1``. So
``tied`` is ``full`` with its scatter pooled over components, and ``spherical`` is ``diag`` with its
squares pooled over features. The outer shapes are scikit-learn's, which leave out axes of length 1.
``low_rank`` has ``run k d q+1``, loadings and noise variances.
"""

from gmm.covariance.base import Covariance
from gmm.covariance.diag import Diag
from gmm.covariance.full import Full
from gmm.covariance.low_rank import LowRank
from gmm.covariance.spherical import Spherical
from gmm.covariance.tied import Tied
from gmm.options import CovarianceType

__all__ = ["COVARIANCES", "Covariance", "covariance_of"]

COVARIANCES: dict[CovarianceType, Covariance] = {
    "full": Full(),
    "tied": Tied(),
    "diag": Diag(),
    "spherical": Spherical(),
}
"""The types that scikit-learn knows, which have no setting of their own."""


def covariance_of(covariance_type: CovarianceType, rank: int) -> Covariance:
    """The mathematics of a covariance type.

    Args:
        covariance_type: Name of the type.
        rank: Columns of the loadings of ``low_rank``; the others have none.
    """
    return {**COVARIANCES, "low_rank": LowRank(rank)}[covariance_type]
