"""Outlier detection as a scikit-learn estimator: a mixture and a threshold it has not learned."""

import math
import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from gmm.anomaly import (
    DensityThreshold,
    check_percent,
    density_threshold,
    held_out_parts,
    mark_densest,
)
from gmm.base import BaseMixture
from gmm.conversion import (
    LEAST_SAMPLES,
    as_source,
    read_random_state,
    refuse_chunks,
    validate_samples,
)
from gmm.crossfitting import cross_fit
from gmm.em.missing import MISSING
from gmm.em.parameters import Estimate
from gmm.estimator import GaussianMixture
from gmm.options import Missing
from gmm.samples.placement import to_tensor
from gmm.samples.validation import check_matrix
from gmm.settings import check_settings


class DensityDetector(OutlierMixin, BaseEstimator):
    """Flags samples whose log density under a mixture is below a threshold.

    The threshold is a quantile of log densities of samples that the scoring mixture was *not*
    fitted to, see :func:`~gmm.anomaly.density_threshold`. On the samples of the fit it would be too
    high: a mixture with many components remembers them, and new samples of the same kind would be
    flagged by the dozen.

    - ``cv`` an integer: the samples are cut into folds, each is scored by a mixture fitted to the
      other folds, and all these scores together set the threshold; the mixture that is kept is
      fitted to all samples. It has seen a little more than those that set the threshold, so
      somewhat fewer than ``percent`` of new samples are flagged: in simulations with 2 to 5
      features and 1 or 2 components 3.1 to 3.7 instead of 4 % where 100 samples were fitted, 3.8 to
      3.9 % where 500 were; more folds change little. The scheme is that of
      cross-conformal prediction (Vovk 2015, doi:10.1007/s10472-013-9368-4) and CV+ (Barber, Candès,
      Ramdas, Tibshirani 2021, doi:10.1214/20-AOS1965), without their vote of the fold mixtures and
      thus without their guarantee.
    - ``cv`` a share: that share of the samples sets the threshold and is never fitted to. This is
      split conformal prediction: with n held-out samples and α = percent / 100, a new sample of the
      same distribution is flagged with a probability between ⌊α (n + 1)⌋ / (n + 1) and
      ⌈α (n + 1)⌉ / (n + 1), whatever the mixture (Bates, Candès, Lei, Romano, Sesia 2023,
      doi:10.1214/22-AOS2244); and never, with a warning, where α (n + 1) < 1.

    Arrays in, arrays out; tensors in, tensors out, differentiable with respect to them.

    Args:
        mixture: An unfitted mixture, copies of which are fitted; None for one Gaussian.
        percent: Share of samples like those of the fit to flag, in percent.
        threshold_nats: The least log density that is not flagged, instead of ``percent``; then
            no sample is held out and one mixture is fitted.
        cv: Number of folds, at least 2, or share to hold out, between 0 and 1. Folds cost one fit
            each and one more.
        trim_percent: Share of the samples of least log density, in percent, that every fit is
            repeated without, so that outliers among them do not widen the components: one
            concentration step of trimmed likelihood (Neykov, Filzmoser, Dimova, Neytchev 2007,
            doi:10.1016/j.csda.2006.12.024). Trimmed samples still count for the threshold.
        random_state: Seed of the folds, and of the mixture unless it has its own.

    Attributes:
        mixture_: The fitted mixture that scores.
        threshold_nats_: The least log density that is not flagged; -inf, with a warning, where too
            few samples were held out to flag ``percent`` of new ones.
        held_out_scores_: The log densities that set it, in the order of their samples; empty with
            ``threshold_nats``.
    """

    def __init__(
        self,
        mixture: BaseMixture | None = None,
        *,
        percent: float = 4.0,
        threshold_nats: float | None = None,
        cv: int | float = 5,
        trim_percent: float = 0.0,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.mixture = mixture
        self.percent = percent
        self.threshold_nats = threshold_nats
        self.cv = cv
        self.trim_percent = trim_percent
        self.random_state = random_state

    @torch.no_grad()
    def fit(
        self, X: ArrayLike | Tensor, y: Any = None, groups: ArrayLike | Tensor | None = None
    ) -> "DensityDetector":
        """Fits the mixture to samples X, n × d, and sets the threshold.

        Args:
            X: Samples.
            y: Ignored.
            groups: What each sample is a part of, n numbers or words, such as the image of a patch
                or the well of a cell: samples of one group are held out together, and the
                threshold is one for samples of new groups. None for independent samples.

        Raises:
            ValueError: If a setting or a sample cannot be used, or the samples are too few.
        """
        check_detector_settings(self.get_params(deep=False))
        template = self._template()
        x = self._read(X, template)
        if self.threshold_nats is not None:
            self.mixture_ = _fit(template, x, self.trim_percent)
            self.held_out_scores_ = np.empty(0)
            self.threshold_nats_ = float(self.threshold_nats)
            return self
        members = None if groups is None else _read_groups(groups, len(x), self.cv)
        random = read_random_state(self.random_state)
        parts = held_out_parts(len(x), self.cv, random, members)
        _check_parts(len(x), self.cv, template.n_components, max(map(len, parts)))
        trim_percent = float(self.trim_percent)
        crossed = cross_fit(
            len(x),
            [torch.from_numpy(part) for part in parts],
            fit=lambda rows: _fit(template, x[rows.numpy()], trim_percent),
            score=lambda mixture, rows: torch.from_numpy(_scores(mixture, x[rows.numpy()])),
        )
        # With one part, the mixture that has not seen it: any other would lose the guarantee.
        self.mixture_ = crossed.models[0] if len(parts) == 1 else _fit(template, x, trim_percent)
        self.held_out_scores_ = crossed.scores.numpy()
        threshold = density_threshold(self.held_out_scores_, float(self.percent))
        self.threshold_nats_ = threshold.threshold_nats
        if threshold.unresolved is not None:
            warnings.warn(
                f"{threshold.unresolved}; nothing is flagged: pass more samples, folds (cv=5) or a "
                f"larger percent",
                stacklevel=3,
            )
        return self

    @property
    def parameters_(self) -> Estimate:
        """The parameters of the fitted mixture."""
        check_is_fitted(self, "threshold_nats_")
        return self.mixture_.parameters_

    @property
    def threshold_(self) -> DensityThreshold:
        """The threshold as a value that says where it comes from."""
        check_is_fitted(self, "threshold_nats_")
        n_held_out = len(self.held_out_scores_)
        percent = float(self.percent) if n_held_out else None
        return DensityThreshold(self.threshold_nats_, percent, n_held_out)

    @property
    def offset_(self) -> float:
        """The threshold in nats, under the name that scikit-learn's detectors have for it."""
        return self.threshold_nats_

    def score_samples(self, X: ArrayLike | Tensor) -> Any:
        """Log density of each sample in nats."""
        check_is_fitted(self, "threshold_nats_")
        if as_source(X) is None:
            X = validate_samples(self, X, fitting=False)
        return self.mixture_.score_samples(X)

    def decision_function(self, X: ArrayLike | Tensor) -> Any:
        """Log density minus the threshold in nats; below 0 for outliers."""
        return self.score_samples(X) - self.threshold_nats_

    def predict(self, X: ArrayLike | Tensor) -> Any:
        """+1 for each inlier and -1 for each outlier; a sample without a density is an outlier."""
        inlier = self.decision_function(X) >= 0
        return 2 * (inlier.long() if isinstance(inlier, Tensor) else inlier.astype(int)) - 1

    def _read(self, X: ArrayLike | Tensor, template: BaseMixture) -> Any:
        """X as a tensor or array, with errors that number its rows and not those of a fold."""
        refuse_chunks(X, "DensityDetector")
        if not isinstance(X, Tensor):
            check_matrix(X)
        x = validate_samples(self, X, fitting=True)
        check_settings(template.get_params(deep=False))
        missing: Missing = getattr(template, "missing", "error")
        MISSING[missing].check(to_tensor(x))
        return x

    def _template(self) -> BaseMixture:
        template: Any = GaussianMixture() if self.mixture is None else clone(self.mixture)
        if template.random_state is None:
            template.set_params(random_state=self.random_state)
        return template


def _fit(template: BaseMixture, x: Any, trim_percent: float) -> BaseMixture:
    """A copy fitted to all samples, or again to those that remain after trimming."""
    mixture = _copy(template).fit(x)
    if not trim_percent:
        return mixture
    return _copy(template).fit(x[mark_densest(_scores(mixture, x), float(trim_percent))])


def _copy(template: BaseMixture) -> BaseMixture:
    copied: Any = clone(template)  # declared by scikit-learn as one of many types
    return copied


def _scores(mixture: BaseMixture, x: Any) -> Float[np.ndarray, " n"]:
    scores = mixture.score_samples(x)
    scores = scores.detach().cpu().numpy() if isinstance(scores, Tensor) else scores
    return scores.astype(np.float64)


def check_detector_settings(settings: dict[str, Any]) -> None:
    """Refuses settings of a detector that no fit can use.

    Args:
        settings: Its parameters by name.

    Raises:
        ValueError: Naming the parameter, its value and what was expected.
    """
    percent, trim, cv = (settings[name] for name in ("percent", "trim_percent", "cv"))
    check_percent(percent)
    if isinstance(trim, bool) or not (isinstance(trim, Real) and 0 <= float(trim) < 50):
        raise ValueError(
            f"trim_percent={trim!r}, expected 0 or a number below 50, so that most samples remain"
        )
    folds = isinstance(cv, Integral) and int(cv) >= 2
    if not folds and not (isinstance(cv, Real) and 0 < float(cv) < 1):
        raise ValueError(
            f"cv={cv!r}, expected a number of folds >= 2 or a share to hold out between 0 and 1"
        )
    threshold = settings["threshold_nats"]
    known = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (known and math.isfinite(threshold)):
        raise ValueError(
            f"threshold_nats={threshold!r}, expected a finite log density in nats, or None to "
            f"flag a percentage"
        )
    if not isinstance(settings["mixture"], BaseMixture | None):
        raise ValueError(
            f"mixture={settings['mixture']!r}, expected a mixture of this package, or None for "
            f"one Gaussian"
        )


def _read_groups(
    groups: ArrayLike | Tensor, n_samples: int, cv: int | float
) -> Shaped[np.ndarray, " n"]:
    members = groups.cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if members.shape != (n_samples,):
        raise ValueError(
            f"groups has shape {members.shape}, expected ({n_samples},): one group per sample"
        )
    try:
        kinds = np.unique(members)
    except TypeError as error:
        raise ValueError(
            f"groups holds values that have no order ({error}), expected numbers or words; "
            f"convert them to words"
        ) from error
    if members.dtype.kind == "f" and np.isnan(members).any():
        row = int(np.flatnonzero(np.isnan(members))[0])
        raise ValueError(f"groups[{row}] is NaN, expected the group of each sample; name it")
    n_groups, least = len(kinds), 2 if cv < 1 else int(cv)
    if n_groups < least:
        raise ValueError(
            f"groups names {n_groups} groups, expected at least {least} for cv={cv}; pass samples "
            f"of more groups or fewer folds"
        )
    return members


def _check_parts(n_samples: int, cv: int | float, n_components: int, n_held_out: int) -> None:
    n_left, least = n_samples - n_held_out, max(n_components, LEAST_SAMPLES)
    if n_left < least or n_samples < cv:
        raise ValueError(
            f"cv={cv} leaves {n_left} of n_samples={n_samples} for n_components={n_components}, "
            f"expected at least {least} and a sample per fold; pass more samples, another cv, "
            f"fewer components, or threshold_nats, which holds nothing out"
        )
