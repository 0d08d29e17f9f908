"""scikit-learn's own mixture tests, run on our classes: twice, in float64 and in float32.

The tests are loaded from the installed package with our classes in the place of theirs. Every test
that reaches a mixture through the public estimator runs; ``LEFT_OUT`` names each of the others.
"""

import importlib.util
import inspect
from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import sklearn.mixture
import torch
from numpy.testing import assert_almost_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

import gmm
from gmm.conversion import draw_seeds
from gmm.covariance import COVARIANCES
from gmm.em import criteria, initialization, kmeans

FILES = ("test_gaussian_mixture", "test_bayesian_mixture", "test_mixture")
ESTIMATORS = ("GaussianMixture", "BayesianGaussianMixture")

HELPER = "tests a private function of scikit-learn, no estimator"
LEFT_OUT = {
    "test_suffstat_sk_full": HELPER,
    "test_suffstat_sk_tied": HELPER,
    "test_suffstat_sk_diag": HELPER,
    "test_gaussian_suffstat_sk_spherical": HELPER,
    "test_compute_log_det_cholesky": HELPER,
    "test_gaussian_mixture_log_probabilities": HELPER,
    "test_log_dirichlet_norm": HELPER,
    "test_log_wishart_norm": HELPER,
    "test_gaussian_mixture_precisions_init": "calls the private _initialize and _set_parameters",
    "test_compare_covar_type": "calls the private _check_parameters and _initialize_parameters",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": (
        "counts the calls of a private function of scikit-learn"
    ),
    "test_gaussian_mixture_raises_where_array_api_not_implemented": (
        "demands that kmeans and k-means++ refuse tensors; ours take them"
    ),
    "test_gaussian_mixture_setting_best_params": (
        "demands a fit of components that have shrunk onto one sample each, variance 4e-16, with "
        "reg_covar=0; when all runs collapse, ours is an error that names reg_covar"
    ),
}
LEFT_OUT_IN_FLOAT32 = {
    "test_gaussian_mixture.test_monotonic_likelihood": (
        "one iteration per fit, and float32 attributes between fits round away the last gains; "
        "test_properties.py has the bound within a float32 fit"
    ),
}

# What the tests expect in scikit-learn's words, and what ours say in its place.
WORDING = {
    "'weights' should have the shape": r"weights_init has shape \(2, 1\), expected \(2,\)",
    "'weights' should be in the range": "weights_init has least element .* and sum",
    "'weights' should be normalized": "weights_init has least element .* and sum",
    "'means' should have the shape": r"means_init has shape \(3, 2\), expected \(2, 2\)",
    "precision' should have the shape": "precisions_init has shape .*, expected",
    "precision' should be": "precisions_init is not symmetric and positive definite",
    "Best performing initialization did not converge": "did not converge to tol.*max_iter=1;",
    "Fitting the mixture model failed": "not positive definite.*increase reg_covar",
    "Invalid value for 'n_samples'": "n_samples=0, expected at least 1",
    "Expected n_samples >= n_components": "n_components=12 needs .* got n_samples=10",
    "'degrees_of_freedom_prior' should be": "degrees_of_freedom_prior=1.0",
}

FLOAT32_DECIMALS = 5  # where seven are asked, of precisions of about 40


def in_our_words(expect: Callable[..., Any]) -> Callable[..., Any]:
    """``pytest.raises`` or ``pytest.warns``, looking for our message instead of theirs."""

    def expecting(kind: type, match: str) -> Any:
        words = match.replace("\\", "")
        ours = [pattern for theirs, pattern in WORDING.items() if theirs in words]
        return expect(kind, match=ours[0] if ours else match)

    return expecting


def substitute(name: str, precision: str) -> type:
    """Our estimator of this name; unless told otherwise it computes in this precision."""
    ours = getattr(gmm, name)

    # float64 is not named: it is what float64 samples give, and float32 ones have to give float32.
    @wraps(ours.__init__)
    def init(self: Any, *args: Any, **settings: Any) -> None:
        ours.__init__(self, *args, **({"dtype": "float32"} | settings))

    def n_parameters(self: Any) -> int:  # the one private method that tests of behaviour call
        return criteria.n_parameters(self.parameters_, COVARIANCES[self.covariance_type])

    members: dict[str, Any] = {"_n_parameters": n_parameters}
    if precision == "float32":
        members["__init__"] = init
    return type(name, (ours,), members)


SLOW = {  # four to thirteen seconds in either precision
    "test_bayesian_mixture.test_bayesian_mixture_fit_predict",
    "test_bayesian_mixture.test_check_covariance_precision",
    "test_bayesian_mixture.test_invariant_translation",
    "test_bayesian_mixture.test_monotonic_likelihood",
    "test_gaussian_mixture.test_monotonic_likelihood",
}


class OurKMeans:
    """The k-means of our start: a test compares with a fit, whose components it has to number."""

    def __init__(self, n_clusters: int, n_init: int, random_state: int) -> None:
        self.n_clusters, self.seeds = n_clusters, draw_seeds(random_state, n_init)

    def fit(self, x: np.ndarray) -> "OurKMeans":
        centred = torch.from_numpy(x - x.mean(0))
        sources = initialization.generators(self.seeds)
        self.labels_ = kmeans.kmeans(centred, self.n_clusters, sources)[0].numpy()
        return self


def loaded(file: str, precision: str) -> ModuleType:
    """scikit-learn's module of tests, anew, on our estimators."""
    found = importlib.util.find_spec(f"sklearn.mixture.tests.{file}")
    if found is None or found.origin is None:
        pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)
    spec = importlib.util.spec_from_file_location(f"{file}_in_{precision}", found.origin)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    with patch.multiple(sklearn.mixture, **{n: substitute(n, precision) for n in ESTIMATORS}):
        spec.loader.exec_module(module)
    module.pytest = SimpleNamespace(
        raises=in_our_words(pytest.raises), warns=in_our_words(pytest.warns)
    )
    module.KMeans = OurKMeans
    if precision == "float32":
        module.assert_almost_equal = partial(assert_almost_equal, decimal=FLOAT32_DECIMALS)
    return module


def on_torch(mark: pytest.Mark, precision: str) -> pytest.Mark:
    """Of all array libraries, devices and precisions that a test is parametrised by, ours."""
    if mark.name != "parametrize" or "array_namespace" not in mark.args[0]:
        return mark
    devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    rows = [("torch", device, precision) for device in devices]
    assert set(rows) <= set(mark.args[1])
    return pytest.mark.parametrize(mark.args[0], rows).mark


def suite(file: str, precision: str) -> type:
    """A class of the tests of one file in one precision."""
    left_out = LEFT_OUT | (LEFT_OUT_IN_FLOAT32 if precision == "float32" else {})
    kept: dict[str, Any] = {}
    for name, test in vars(loaded(file, precision)).items():
        if name.startswith("test_") and not {name, f"{file}.{name}"} & set(left_out):
            marks = [on_torch(mark, precision) for mark in getattr(test, "pytestmark", ())]
            slow = [pytest.mark.slow.mark] if f"{file}.{name}" in SLOW else []
            test.pytestmark = marks + slow
            kept[name] = staticmethod(test)

    dtypes = [np.float32] if precision == "float32" else [np.float64, np.float32]

    @pytest.fixture(params=dtypes, ids=lambda dtype: dtype.__name__)
    def global_dtype(self: Any, request: pytest.FixtureRequest) -> type:
        return request.param

    return type(file, (), kept | {"global_dtype": global_dtype})


for _file in FILES:
    _title = _file.title().replace("_", "")
    globals()[f"{_title}InFloat64"] = suite(_file, "float64")
    globals()[f"{_title}InFloat32"] = suite(_file, "float32")


@pytest.fixture(params=[0, 42])
def global_random_seed(request):
    return request.param


@pytest.fixture(autouse=True)
def _array_api(monkeypatch):
    # Only then does scikit-learn tell the tests that a tensor is one.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


def test_what_is_left_out_and_what_is_reworded_exists():
    modules = [importlib.import_module(f"sklearn.mixture.tests.{file}") for file in FILES]
    source = "".join(map(inspect.getsource, modules))
    assert [name for name in LEFT_OUT if f"def {name}(" not in source] == []
    assert [words for words in WORDING if words not in source] == []
    for qualified in LEFT_OUT_IN_FLOAT32:
        file, name = qualified.split(".")
        assert hasattr(modules[FILES.index(file)], name)


FLOAT64_SCORES = "demands float64 scores; of float32 samples ours are float32, as everywhere"


@parametrize_with_checks(
    [
        gmm.GaussianMixture(max_iter=20, dtype="float32"),
        gmm.BayesianGaussianMixture(max_iter=20, dtype="float32"),
        gmm.DensityDetector(gmm.GaussianMixture(dtype="float32")),
    ],
    expected_failed_checks=lambda estimator: (
        {"check_outliers_train": FLOAT64_SCORES}
        if isinstance(estimator, gmm.DensityDetector)
        else {}
    ),
)
def test_scikit_learn_accepts_the_estimators_in_float32(estimator, check):
    check(estimator)
