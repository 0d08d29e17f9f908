"""What users pass in becomes tensors to compute with, and what is learned becomes arrays again."""

from functools import lru_cache
from typing import Any, TypeGuard

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from gmm.samples.chunks import Chunks, as_chunks
from gmm.samples.distributed import Sharded
from gmm.samples.placement import to_tensor
from gmm.samples.validation import check_feature_count, check_matrix, validate_tensor

LARGEST_SEED = 2**31 - 1
LEAST_SAMPLES = 2  # for any fit: one sample has no variance


def validate_samples(estimator: Any, X: ArrayLike | Tensor, *, fitting: bool) -> Any:
    """X as a tensor or array of float32 or float64, as wide as the estimator was fitted to.

    Finiteness is left to the caller: scikit-learn's own check names no row.

    Raises:
        ValueError: If X is not a matrix, or has another width.
    """
    if not isinstance(X, Tensor):
        return validate_data(
            estimator,
            X,  # type: ignore[reportArgumentType] - inferred from its default, a string
            dtype=[np.float64, np.float32],
            reset=fitting,
            ensure_all_finite=False,
            ensure_min_samples=LEAST_SAMPLES if fitting else 1,
        )
    x = validate_tensor(X)
    if fitting:
        estimator.n_features_in_ = x.shape[1]
    check_feature_count(x.shape[1], estimator.n_features_in_, type(estimator).__name__)
    return x


def is_checked(X: Any, estimator: Any, *, fitting: bool) -> TypeGuard[np.ndarray]:
    """Whether all that :func:`validate_samples` does to X is to look at its width.

    So it is for a matrix of numbers, where nothing is known of names of features. scikit-learn's
    checks of it take longer than the densities of a hundred samples.
    """
    return (
        type(X) is np.ndarray
        and X.dtype.char in "fd"
        and X.ndim == 2
        and X.shape[0] >= (LEAST_SAMPLES if fitting else 1)
        and X.shape[1] > 0
        and "feature_names_in_" not in vars(estimator)
        and (fitting or "n_features_in_" in vars(estimator))
    )


def check_fitted(estimator: Any) -> None:
    """Refuses a mixture that has learned nothing.

    Raises:
        NotFittedError: If it has no attribute that ``fit`` stores.
    """
    if "means_" not in vars(estimator):  # scikit-learn's check takes as long as a density
        check_is_fitted(estimator)


def read_rows(estimator: Any, X: ArrayLike | Tensor, *, fitting: bool) -> Tensor:
    """One matrix of samples as a tensor of float32 or float64, see :func:`validate_samples`."""
    if is_checked(X, estimator, fitting=fitting):
        if fitting:
            estimator.n_features_in_ = X.shape[1]
        check_feature_count(X.shape[1], estimator.n_features_in_, type(estimator).__name__)
        return to_tensor(X)
    if not isinstance(X, Tensor):
        check_matrix(X)
    return to_tensor(validate_samples(estimator, X, fitting=fitting))


def as_source(x: Any) -> Sharded | Chunks | None:
    """Samples that ``fit`` has to read in parts; None for one matrix."""
    return x if isinstance(x, Sharded) else as_chunks(x)


def refuse_chunks(x: Any, method: str) -> None:
    """Refuses samples in parts where all of them are needed at once.

    Raises:
        ValueError: If they are chunks, a file or a share.
    """
    # A memory map is one matrix, and is read as a whole where it has to be.
    if as_source(x) is not None and not isinstance(x, np.memmap):
        raise ValueError(
            f"{method} got samples in chunks, a {type(x).__name__}, expected one matrix, n × d; "
            f"read them into one array (gmm.read_matrix for a file), or fit a GaussianMixture"
        )


def as_attribute(values: Tensor, as_tensor: bool) -> Any:
    """The values as a tensor on their device, or as an array."""
    return values if as_tensor else values.detach().cpu().numpy()


def draw_seeds(random_state: int | RandomState | None, count: int) -> list[int]:
    """One seed per restart; the first ones do not depend on how many there are."""
    if type(random_state) is int:
        return list(_seeds_of(random_state, count))
    return read_random_state(random_state).randint(LARGEST_SEED, size=count).tolist()


@lru_cache
def _seeds_of(random_state: int, count: int) -> tuple[int, ...]:
    # To begin a generator takes as long as an iteration of a small fit.
    return tuple(read_random_state(random_state).randint(LARGEST_SEED, size=count).tolist())


def read_random_state(random_state: int | RandomState | None) -> RandomState:
    """The source of random numbers that the setting names.

    Raises:
        ValueError: If it is no seed, source or None.
    """
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            f"random_state={random_state!r}, expected an integer from 0 to 2**32 - 1, a "
            f"numpy.random.RandomState, or None; pass an integer"
        ) from error
