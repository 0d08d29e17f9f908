"""Extreme deconvolution as a loop over samples, by the formulas of its paper."""

import numpy as np
from scipy.stats import multivariate_normal


def deconvolution_step(x, noise, weights, means, covariances, sample_weight=None):
    """The mean log density before an EM step, and weights, means and matrices after it.

    Bovy, Hogg & Roweis (2011), eqs. 14 to 16; the projection R leaves out values that are NaN.
    """
    k, d = means.shape
    shares = np.ones(len(x)) if sample_weight is None else sample_weight
    resp, centres = np.zeros((len(x), k)), np.zeros((len(x), k, d))
    spreads, log_density = np.zeros((len(x), k, d, d)), 0.0
    for i, (w, s) in enumerate(zip(x, noise, strict=True)):
        s = np.diag(s) if s.ndim == 1 else s
        r = np.eye(d)[~np.isnan(w)]
        joint = np.log(weights)
        for j in range(k):
            t = r @ (covariances[j] + s) @ r.T
            gain = covariances[j] @ r.T @ np.linalg.inv(t)
            known = w[~np.isnan(w)]
            if len(known):
                joint[j] += multivariate_normal(r @ means[j], t).logpdf(known)
            centres[i, j] = means[j] + gain @ (known - r @ means[j])
            spreads[i, j] = covariances[j] - gain @ r @ covariances[j]
        total = np.logaddexp.reduce(joint)
        log_density += shares[i] * total
        resp[i] = shares[i] * np.exp(joint - total)
    counts = resp.sum(0)
    means = np.einsum("ij,ijd->jd", resp, centres) / counts[:, None]
    apart = means - centres
    outer = np.einsum("ij,ijd,ije->jde", resp, apart, apart)
    inner = np.einsum("ij,ijde->jde", resp, spreads)
    covariances = (outer + inner) / counts[:, None, None]
    return log_density / shares.sum(), counts / shares.sum(), means, covariances
