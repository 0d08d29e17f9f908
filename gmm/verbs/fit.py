"""``gmm fit``: one mixture, and a threshold for outliers.

Torch is imported inside the functions, so that ``gmm fit --help`` answers without it.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmm.options import CovarianceType, FloatType, InitMethod, Missing, Regulariser
from gmm.verbs.inputs import check_mixture_path, check_seed, is_large, read_samples


@dataclass(frozen=True)
class FitResult:
    """A mixture that was fitted and saved.

    Args:
        out: The file.
        n_samples: Number of samples that it was fitted to.
        n_features: Number of their features.
        n_components: Number of its components.
        covariance_type: Shape of its covariances.
        lower_bound: Mean log density of a training sample in nats.
        n_iter: Number of EM iterations of the best run.
        converged: Whether it met ``tol``.
        bic: Its Bayesian information criterion; the lower the better.
        threshold: The threshold for outliers as a sentence, if a percentage was asked for.
    """

    out: Path
    n_samples: int
    n_features: int
    n_components: int
    covariance_type: CovarianceType
    lower_bound: float
    n_iter: int
    converged: bool
    bic: float
    threshold: str | None = None

    def __str__(self) -> str:
        """Two or three lines."""
        end = "converged" if self.converged else "did not converge"
        mixture = (
            f"{self.n_components} {self.covariance_type} components on {self.n_samples} x "
            f"{self.n_features}: {self.lower_bound:.6g} nats per sample, BIC {self.bic:.1f}, "
            f"{end} after {self.n_iter} iterations"
        )
        return "\n".join(filter(None, [mixture, self.threshold, f"wrote {self.out}"]))


def fit(
    x: Path,
    out: Path,
    n_components: int = 1,
    covariance_type: CovarianceType = "full",
    rank: int = 8,
    n_init: int = 1,
    init_params: InitMethod = "kmeans",
    seed: int = 0,
    reg_covar: Regulariser = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 100,
    percent: float | None = None,
    dtype: FloatType | None = None,
    device: str | None = None,
    missing: Missing = "error",
) -> FitResult:
    """Fits one mixture to a matrix of samples.

    Args:
        x: Samples in rows: .npy, .csv or .safetensors. A .npy or .safetensors file above 1 GiB is
            read again at every iteration instead of loaded, unless percent is given.
        out: The mixture, .safetensors.
        n_components: Number of Gaussians in the mixture.
        covariance_type: Shape of the covariances.
        rank: Columns of the loadings of low_rank.
        n_init: Number of restarts, all in one batch; the best is kept.
        init_params: Where EM starts.
        seed: The same seed gives the same mixture.
        reg_covar: Added to every variance, in squared units of x; auto is 1e-6, but between 1e-14
            and 1e-3 of the mean variance of a feature.
        tol: EM stops when the mean log density changes by less, in nats.
        max_iter: Largest number of iterations.
        percent: Save with it a threshold that flags this share of new samples, in percent, such as
            4. It is set by cross-validation, which fits five more mixtures.
        dtype: Precision of samples and mixture; by default that of the file.
        device: Where to compute, such as cuda.
        missing: What NaN and the empty cells of a .csv file are: a mistake, or values that are not
            known, by whose marginal densities samples are fitted.

    Raises:
        FileNotFoundError: If there is no file x.
        ValueError: If a file or a setting cannot be used.
    """
    from gmm.detector import DensityDetector
    from gmm.estimator import GaussianMixture
    from gmm.persistence import save
    from gmm.samples.chunks import Chunks

    check_mixture_path(out)
    check_seed(seed)
    large = percent is None and is_large(x)
    samples: Any = Chunks(x) if large else read_samples(x, dtype, device, missing)
    mixture = GaussianMixture(
        n_components,
        covariance_type=covariance_type,
        rank=rank,
        n_init=n_init,
        init_params=init_params,
        random_state=seed,
        reg_covar=reg_covar,
        tol=tol,
        max_iter=max_iter,
        device=device,
        dtype=dtype,
        missing=missing,
    )
    threshold = None
    if percent is None:
        save(mixture.fit(samples), out)
    else:
        detector = DensityDetector(mixture, percent=percent, random_state=seed)
        with warnings.catch_warnings():
            # The summary says so, in the line of the threshold.
            warnings.filterwarnings("ignore", r"\d+ held-out samples cannot resolve")
            detector.fit(samples)
        save(detector, out)
        mixture, threshold = detector.mixture_, str(detector.threshold_)
    return FitResult(
        out=out,
        n_samples=round(mixture.n_samples_seen_),
        n_features=mixture.n_features_in_,
        n_components=n_components,
        covariance_type=covariance_type,
        lower_bound=mixture.lower_bound_,
        n_iter=mixture.n_iter_,
        converged=mixture.converged_,
        bic=mixture.bic(samples),
        threshold=threshold,
    )
