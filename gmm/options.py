"""The words that options take: the only file that both the shell and the mathematics read.

It imports nothing, so that ``gmm --help`` knows every choice without loading torch.
"""

from typing import Literal

CovarianceType = Literal["full", "tied", "diag", "spherical", "low_rank"]
"""One matrix per component, one shared matrix, one variance per feature, one variance, and a few
columns of loadings beside one variance per feature."""

InitMethod = Literal["kmeans", "k-means++", "random", "random_from_data", "scaled_kmeans"]
"""Where EM starts: clusters, spread-out samples, random responsibilities, random samples; and
clusters of the features divided by their standard deviations."""

Criterion = Literal["bic", "aic", "icl", "held_out"]
"""Information criteria, and -2 log likelihood of held-out samples: nats, the lower the better."""

Missing = Literal["error", "marginalize"]
"""What NaN in the samples is: a mistake, or a value that is not known."""

FloatType = Literal["float32", "float64"]
"""Precision of the samples and of what is learned; sums over samples are always float64."""

Regulariser = float | Literal["auto"]
"""A number that is added to every variance; or 1e-6, bounded by the scale of the samples."""

WeightPriorType = Literal["dirichlet_process", "dirichlet_distribution"]
"""Prior of the weights of a Bayesian mixture: as many components as samples need, or exactly k."""
