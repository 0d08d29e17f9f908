"""What users of scikit-learn do next: weights in scores, edited attributes, frames, draws."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gmm import (
    BayesianGaussianMixture,
    DensityDetector,
    GaussianMixture,
    sweep,
)


class Frame:
    """A DataFrame as far as arrays are concerned: named columns, and no rows by number."""

    def __init__(self, values):
        self.values, self.shape, self.columns = values, values.shape, list("abcd")

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        raise KeyError(key)


def histogram():
    random = np.random.default_rng(0)
    counts, edges = np.histogram(np.r_[random.normal(0, 1, 400), random.normal(5, 1, 400)], 40)
    return (edges[1:] + edges[:-1])[:, None] / 2, counts


def test_criteria_count_each_sample_as_often_as_its_weight():
    x, counts = histogram()
    mixture = GaussianMixture(2, random_state=0).fit(x, sample_weight=counts)
    deviations = np.sqrt(mixture.covariances_[:, 0, 0])
    densities = norm(mixture.means_[:, 0], deviations).pdf(x) @ mixture.weights_
    log_likelihood = counts @ np.log(densities)
    n = counts.sum()
    assert mixture.score(x, sample_weight=counts) == pytest.approx(log_likelihood / n)
    expected = -2 * log_likelihood + 5 * np.log(n)
    assert mixture.bic(x, sample_weight=counts) == pytest.approx(expected)
    assert mixture.aic(x, sample_weight=counts) == pytest.approx(-2 * log_likelihood + 10)
    assert mixture.bic(torch.from_numpy(x), torch.from_numpy(counts)) == pytest.approx(expected)
    assert mixture.bic([x[:9], x[9:]], counts) == pytest.approx(expected)
    assert mixture.bic(x.repeat(counts, axis=0)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="sample_weight has shape"):
        mixture.score(x, sample_weight=counts[1:])


def test_sums_of_float32_scores_are_float64(blobs):
    x = np.tile(blobs.astype(np.float32), (50, 1))
    mixture = GaussianMixture(1).fit(x)
    scores = mixture.score_samples(x).astype(float)
    free = 14 * np.log(len(x))
    assert mixture.bic(x) == pytest.approx(free - 2 * scores.sum(), rel=1e-12)
    assert mixture.bic(torch.from_numpy(x)) == pytest.approx(free - 2 * scores.sum(), rel=1e-12)


def test_a_frame_is_its_values(blobs):
    expected = sweep(blobs, [1, 2], ["full"], n_init=1).best
    assert sweep(Frame(blobs), [1, 2], ["full"], n_init=1).best == expected


def test_samples_come_from_the_component_and_the_source_that_are_named(blobs):
    mixture = GaussianMixture(3, random_state=0).fit(blobs)
    x, component = mixture.sample(4000, component=2, random_state=5)
    assert (component == 2).all()
    np.testing.assert_allclose(x.mean(0), mixture.means_[2], atol=0.2)
    np.testing.assert_array_equal(x, mixture.sample(4000, component=2, random_state=5)[0])
    assert (mixture.sample(5, random_state=1)[0] != mixture.sample(5)[0]).any()
    np.testing.assert_array_equal(mixture.sample(5)[0], mixture.sample(5, random_state=0)[0])
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"component={wrong}, expected 0 to 2"):
            mixture.sample(1, component=wrong)


def test_what_is_set_by_hand_is_what_answers(covariance_type, blobs):
    fitted = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(blobs)
    for precision in ("covariances_", "precisions_cholesky_"):
        mixture = GaussianMixture(2, covariance_type=covariance_type)
        mixture.weights_ = fitted.weights_.tolist()
        mixture.means_, mixture.n_features_in_ = fitted.means_.tolist(), 4
        setattr(mixture, precision, getattr(fitted, precision))
        np.testing.assert_allclose(mixture.score_samples(blobs), fitted.score_samples(blobs))
    fitted.means_ = fitted.means_ + 1
    np.testing.assert_allclose(fitted.score_samples(blobs + 1), mixture.score_samples(blobs))


def test_what_is_edited_in_place_after_an_answer_answers(covariance_type, blobs):
    mixture = GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(blobs)
    before = mixture.score_samples(blobs[:5])
    mixture.means_ += 1
    mixture.precisions_cholesky_ *= 2
    mixture.weights_[:] = 1 / 3
    fresh = GaussianMixture(3, covariance_type=covariance_type)
    for name in ("weights_", "means_", "precisions_cholesky_"):
        setattr(fresh, name, getattr(mixture, name).copy())
    expected = fresh.score_samples(blobs[:5])
    np.testing.assert_array_equal(mixture.score_samples(blobs[:5]), expected)
    assert (expected != before).all()


def test_factors_of_another_kind_are_refused_after_answers_too(blobs):
    mixture = GaussianMixture(3, random_state=0).fit(blobs)
    mixture.score_samples(blobs)
    mixture.precisions_cholesky_ = mixture.covariances_
    with pytest.raises(ValueError, match="precisions_cholesky_ holds no full covariances"):
        mixture.score_samples(blobs)


@pytest.mark.parametrize("other", ["full", "tied", "diag", "spherical", "low_rank"])
def test_a_covariance_type_that_was_changed_after_the_fit_is_refused(covariance_type, other, blobs):
    if other == covariance_type:
        return
    mixture = GaussianMixture(4, covariance_type=covariance_type, random_state=0).fit(blobs)
    mixture.set_params(covariance_type=other)  # 4 components of 4 features: diag looks like tied
    with pytest.raises(ValueError, match=f"covariance_type='{other}'"):
        mixture.predict(blobs)


def fit(x, **settings):
    return GaussianMixture(2, random_state=0, **settings).fit(x)


def edited(x, **attributes):
    mixture = fit(x)
    vars(mixture).update(attributes)
    return mixture


MISTAKES = {
    "NaN in means": (lambda x: GaussianMixture(1, means_init=[[np.nan] * 4]).fit(x), "means_init"),
    "NaN in weights": (lambda x: GaussianMixture(1, weights_init=[np.nan]).fit(x), "weights_init"),
    "words as means": (lambda x: fit(x, means_init="kmeans"), "means_init is 'kmeans', expected"),
    "ragged means": (lambda x: fit(x, means_init=[[0, 0], [1]]), "means_init is .*expected"),
    "complex means": (
        lambda x: fit(x, means_init=np.ones((2, 4)) * 1j),
        "means_init has dtype torch.complex128, expected real",
    ),
    "infinite precisions": (
        lambda x: fit(x, covariance_type="diag", precisions_init=np.full((2, 4), np.inf)),
        r"precisions_init\[0, 0\] is inf, expected finite",
    ),
    "a source of another kind": (
        lambda x: GaussianMixture(2, random_state=np.random.default_rng(0)).fit(x),
        "random_state=Generator.*expected an integer from 0",
    ),
    "a word for a choice": (lambda x: fit(x, warm_start="no"), "warm_start='no', expected one of"),
    "words as weights": (
        lambda x: fit(x).score(x, sample_weight="balanced"),
        "sample_weight is 'b",
    ),
    "complex weights": (
        lambda x: GaussianMixture(1).fit(x, sample_weight=np.ones(len(x)) * 1j),
        "sample_weight has dtype torch.complex128",
    ),
    "warm start": (
        lambda x: GaussianMixture(2, warm_start=True, random_state=0).fit(x).fit(x[:, :2]),
        "warm_start",
    ),
    "a name": (lambda x: GaussianMixture(1).fit("x.npy"), "pathlib.Path"),
    "nothing": (lambda x: GaussianMixture(1).fit(None), "x is None"),
    "a number": (lambda x: fit(x).predict(5), "x is 5, expected samples in rows"),
    "a dictionary": (lambda x: GaussianMixture(1).fit({"x": x}), "x is {'x': .*expected samples"),
    "times": (lambda x: GaussianMixture(1).fit(x.astype("M8[s]")), "x has dtype datetime64"),
    "a mask": (
        lambda x: GaussianMixture(1).fit(np.ma.masked_greater(x, 1)),
        "got a masked array of which .*filled",
    ),
    "a sparse tensor": (
        lambda x: GaussianMixture(1).fit(torch.from_numpy(x).to_sparse()),
        "x is a tensor of layout torch.sparse_coo, expected a dense one",
    ),
    "a tensor without values": (
        lambda x: GaussianMixture(1).fit(torch.zeros(4, 2, device="meta")),
        "x is a tensor on the meta device",
    ),
    "half a sample": (lambda x: fit(x).sample(2.5), "n_samples=2.5, expected at least 1"),
    "no number of samples": (lambda x: fit(x).sample("5"), "n_samples='5', expected"),
    "half a component": (lambda x: fit(x).sample(2, component=0.5), "component=0.5, expected 0 to"),
    "a truth value": (lambda x: fit(x).sample(2, component=True), "component=True, expected 0 to"),
    "negative weights set": (
        lambda x: edited(x, weights_=[-1.0, 2.0]).predict(x),
        "weights_ has least element -1 and sum 1",
    ),
    "weights set that are too large": (
        lambda x: edited(x, weights_=[1.0, 2.0]).score(x),
        "weights_ has least element 1 and sum 3",
    ),
    "one weight set": (lambda x: edited(x, weights_=[1.0]).score(x), r"weights_ has shape \(1,\)"),
    "NaN set": (lambda x: edited(x, means_=np.full((2, 4), np.nan)).predict(x), r"means_\[0, 0\]"),
    "words set": (
        lambda x: edited(x, means_="a").predict(x),
        "got 'a' of dtype .*expected numbers",
    ),
    "a name to sweep": (lambda x: sweep("x.npy", [1]), "gmm.read_matrix"),
    "chunks to sweep": (lambda x: sweep([x, x], [1]), "sweep got samples in chunks"),
    "one number to sweep": (lambda x: sweep(x, 3), "n_components=3, expected several numbers"),
    "one type to sweep": (lambda x: sweep(x, [1], "full"), "covariance_types='full', expected a s"),
    "half a fold": (lambda x: sweep(x, [1], n_folds=2.5), "n_folds=2.5, expected 2 to 450"),
    "no seed": (lambda x: sweep(x, [1], seed=None), "seed=None, expected an integer"),
    "chunks to a detector": (lambda x: DensityDetector().fit([x, x]), "DensityDetector got"),
    "nothing to a detector": (lambda x: DensityDetector().fit(None), "x is None, expected samples"),
    "words to a detector": (lambda x: DensityDetector().fit([["a"]] * 9), r"x\[0, 0\] is 'a'"),
    "groups without order": (
        lambda x: DensityDetector().fit(x, groups=[None] * len(x)),
        "groups holds values that have no order",
    ),
    "a group without a name": (
        lambda x: DensityDetector().fit(x, groups=np.r_[np.nan, np.arange(1.0, len(x))]),
        r"groups\[0\] is NaN",
    ),
    "a truth value as percentage": (lambda x: DensityDetector(percent=True).fit(x), "percent=True"),
    "a truth value as threshold": (
        lambda x: DensityDetector(threshold_nats=False).fit(x),
        "threshold_nats=False, expected a finite",
    ),
    "masks in chunks": (
        lambda x: GaussianMixture(1).fit([x, np.ma.masked_greater(x, 1)]),
        "got a masked array of which",
    ),
    "no bound of variances": (lambda x: fit(x, reg_covar=np.inf), "reg_covar=inf, expected a fi"),
    "starts that can be read once": (
        lambda x: sweep(x, [1], init_params=iter(["kmeans"])),
        "init_params=.*expected a sequence",
    ),
    "a source to a detector": (
        lambda x: DensityDetector(random_state="a").fit(x),
        "random_state='a', expected an integer",
    ),
    "words as a prior": (
        lambda x: BayesianGaussianMixture(2, mean_prior="a").fit(x),
        "mean_prior is 'a', expected an array",
    ),
    "a truth value as a prior": (
        lambda x: BayesianGaussianMixture(2, mean_precision_prior=True).fit(x),
        "mean_precision_prior=True, expected a finite number",
    ),
    "an array to a module": (
        lambda x: fit(x).as_module().log_prob(x),
        "x is a ndarray of shape .*expected a tensor whose last axis has the 4 features",
    ),
    "another width to a module": (
        lambda x: fit(x).as_module().responsibilities(torch.zeros(2, 3)),
        r"x is a Tensor of shape \(2, 3\), expected",
    ),
    "no samples of a module": (lambda x: fit(x).as_module().sample(0), "n_samples=0, expected"),
    "chunks to learn on": (
        lambda x: GaussianMixture(1).fit(x).partial_fit([x, x]),
        "partial_fit got samples in chunks",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_its_cause(mistake, blobs):
    ask, words = MISTAKES[mistake]
    with pytest.raises(ValueError, match=words) as raised:
        ask(blobs)
    assert "\n" not in str(raised.value)


def test_a_detector_scores_chunks(blobs):
    detector = DensityDetector(random_state=0).fit(blobs)
    found = detector.predict([blobs[:100], blobs[100:]])
    np.testing.assert_array_equal(found, detector.predict(blobs))


def test_a_memory_map_is_its_values_where_all_samples_are_needed_at_once(blobs, tmp_path):
    np.save(tmp_path / "x.npy", blobs)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = DensityDetector(random_state=0).fit(blobs)
    found = DensityDetector(random_state=0).fit(mapped)
    assert found.threshold_nats_ == expected.threshold_nats_
    np.testing.assert_array_equal(found.predict(mapped), expected.predict(blobs))
    assert sweep(mapped, [2], ["diag"], n_init=1).best == sweep(blobs, [2], ["diag"], n_init=1).best
    learned = (GaussianMixture(1).fit(blobs).partial_fit(x) for x in (mapped, blobs))
    assert next(learned).lower_bounds_ == next(learned).lower_bounds_


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_detector_names_the_row_of_the_table_and_not_of_a_fold(value, blobs):
    x = blobs.copy()
    x[131, 2] = value
    for samples in (x, torch.from_numpy(x), Frame(x)):
        with pytest.raises(ValueError, match=r"x\[131, 2\] is (NaN|inf)"):
            DensityDetector(random_state=0).fit(samples)
    if np.isnan(value):
        known = GaussianMixture(1, missing="marginalize")
        assert DensityDetector(known, random_state=0).fit(x).held_out_scores_.shape == (len(x),)


def test_every_estimator_takes_a_frame_for_its_values(blobs):
    frame = Frame(blobs)
    for estimator in (
        GaussianMixture(2, random_state=0),
        BayesianGaussianMixture(2, random_state=0, max_iter=500),
        DensityDetector(random_state=0),
    ):
        ours = estimator.fit(frame)
        for ask in ("predict", "score_samples"):
            found = getattr(ours, ask)(frame)
            np.testing.assert_array_equal(found, getattr(ours.fit(blobs), ask)(blobs))
    mixture = GaussianMixture(2, random_state=0).fit(frame, sample_weight=np.ones(len(blobs)))
    for ask in ("score", "bic", "aic", "predict_proba", "fit_predict", "partial_fit"):
        getattr(mixture, ask)(frame)


def test_numbers_of_components_may_come_from_a_generator(blobs):
    found = sweep(blobs, iter([1, 2]), ["diag", "spherical"], n_init=1)
    assert [row.n_components for row in found.rows] == [1, 2, 1, 2]


def test_means_set_as_whole_numbers_are_numbers(blobs):
    mixture = edited(blobs, means_=[[0, 0, 0, 0], [5, 5, 5, 5]])
    assert mixture.sample(3, random_state=0)[0].dtype == np.float64
    assert np.isfinite(mixture.score_samples(blobs)).all()
