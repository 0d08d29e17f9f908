"""The words that options take: the only file that both the shell and the mathematics read.

It imports nothing, so that ``gmm --help`` knows every choice without loading torch.
"""

from typing import Literal

CovarianceType = Literal["full", "tied", "diag", "spherical"]
"""One matrix per component, one shared matrix, one variance per feature, one variance."""

InitMethod = Literal["kmeans", "k-means++", "random", "random_from_data"]
"""Where EM starts: clusters, spread-out samples, random responsibilities, random samples."""

Criterion = Literal["bic", "aic"]
"""Information criteria, in nats; the lower the better."""

FloatType = Literal["float32", "float64"]
"""Precision of the samples and of what is learned; sums over samples are always float64."""
