"""EM with missing values as a loop over samples, by the textbook's formulas for covariances."""

import numpy as np
from scipy.stats import multivariate_normal


def dense_step(x, weights, means, covariances, sample_weight=None):
    """One EM step: the mean log density before it, and the weights, means and matrices after it.

    Ghahramani & Jordan (1994), section 4.1; a value of ``x`` that is NaN is missing.
    """
    shares = np.ones(len(x)) if sample_weight is None else sample_weight
    counts, first = np.zeros(len(weights)), np.zeros_like(means)
    second, log_density = np.zeros_like(covariances), 0.0
    for row, share in zip(x, shares, strict=True):
        joint = np.log(weights) + log_marginals(row, means, covariances)
        greatest = joint.max()
        log_sum = greatest + np.log(np.exp(joint - greatest).sum())
        log_density += share * log_sum
        for k, resp in enumerate(share * np.exp(joint - log_sum)):
            whole, spread = complete(row, means[k], covariances[k])
            counts[k] += resp
            first[k] += resp * whole
            second[k] += resp * (np.outer(whole, whole) + spread)
    means = first / counts[:, None]
    outer = means[:, :, None] * means[:, None]
    covariances = second / counts[:, None, None] - outer
    return log_density / shares.sum(), counts / shares.sum(), means, covariances


def log_marginals(row, means, covariances):
    """Log density of the known values of a sample under each component; 0 where there are none."""
    known = ~np.isnan(row)
    if not known.any():
        return np.zeros(len(means))
    return np.array(
        [
            multivariate_normal(mean[known], matrix[np.ix_(known, known)]).logpdf(row[known])
            for mean, matrix in zip(means, covariances, strict=True)
        ]
    )


def complete(row, mean, matrix):
    """The conditional mean and covariance of a sample, the latter 0 where values are known."""
    known = ~np.isnan(row)
    whole, spread = row.copy(), np.zeros_like(matrix)
    gain = matrix[np.ix_(~known, known)] @ np.linalg.inv(matrix[np.ix_(known, known)])
    whole[~known] = mean[~known] + gain @ (row[known] - mean[known])
    left = matrix[np.ix_(~known, ~known)] - gain @ matrix[np.ix_(known, ~known)]
    spread[np.ix_(~known, ~known)] = left
    return whole, spread


def loadings_step(x, weights, means, loadings, noise):
    """One EM step of mixtures of factor analysers: Ghahramani & Hinton (1996), about the new means.

    Latent variables and missing values are both what is not known, so that the samples are those of
    one Gaussian of both.
    """
    k, d, q = loadings.shape
    matrices = loadings @ loadings.swapaxes(1, 2) + noise[:, :, None] * np.eye(d)
    joint = np.zeros((k, d + q, d + q))
    joint[:, :d, :d], joint[:, d:, d:] = matrices, np.eye(q)
    joint[:, :d, d:], joint[:, d:, :d] = loadings, loadings.swapaxes(1, 2)
    both = np.hstack([x, np.full((len(x), q), np.nan)])
    centres = np.hstack([means, np.zeros((k, q))])
    bound, weights, centres, moments = dense_step(both, weights, centres, joint)
    cross = moments[:, :d, d:]
    loadings = cross @ np.linalg.inv(moments[:, d:, d:])
    left = moments[:, :d, :d] - loadings @ cross.swapaxes(1, 2)
    return bound, weights, centres[:, :d], loadings, left.diagonal(axis1=1, axis2=2)


def constrain(covariances, weights, covariance_type):
    """Matrices of each component as those of a covariance type, in the M-step."""
    k, d, _ = covariances.shape
    if covariance_type == "tied":
        return np.repeat(np.einsum("k,kde->de", weights, covariances)[None], k, 0)
    variances = covariances.diagonal(axis1=1, axis2=2)
    if covariance_type == "spherical":
        variances = np.repeat(variances.mean(1, keepdims=True), d, 1)
    if covariance_type in ("diag", "spherical"):
        return variances[:, :, None] * np.eye(d)
    return covariances
