"""What users of scikit-learn do next: weights in scores, edited attributes, frames, draws."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gmm import DensityDetector, GaussianMixture, sweep


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


MISTAKES = {
    "NaN in means": (lambda x: GaussianMixture(1, means_init=[[np.nan] * 4]).fit(x), "means_init"),
    "NaN in weights": (lambda x: GaussianMixture(1, weights_init=[np.nan]).fit(x), "weights_init"),
    "warm start": (
        lambda x: GaussianMixture(2, warm_start=True, random_state=0).fit(x).fit(x[:, :2]),
        "warm_start",
    ),
    "a name": (lambda x: GaussianMixture(1).fit("x.npy"), "pathlib.Path"),
    "nothing": (lambda x: GaussianMixture(1).fit(None), "x is None"),
    "a name to sweep": (lambda x: sweep("x.npy", [1]), "gmm.read_matrix"),
    "chunks to sweep": (lambda x: sweep([x, x], [1]), "sweep got samples in chunks"),
    "chunks to a detector": (lambda x: DensityDetector().fit([x, x]), "DensityDetector got"),
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
