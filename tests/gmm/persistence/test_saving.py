import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from gmm.bayesian import BayesianGaussianMixture
from gmm.detector import DensityDetector
from gmm.estimator import GaussianMixture
from gmm.persistence.saving import _digest, load, mixture_of, save


@pytest.fixture
def saved(covariance_type, blobs, tmp_path):
    mixture = GaussianMixture(3, covariance_type=covariance_type, tol=1e-4, random_state=5)
    save(mixture.fit(blobs), tmp_path / "mixture.safetensors")
    return mixture, tmp_path / "mixture.safetensors"


def test_a_saved_mixture_comes_back_exactly(saved, blobs):
    mixture, path = saved
    loaded = load(path)
    assert loaded.get_params() == mixture.get_params()
    for name in ("weights_", "means_", "precisions_cholesky_", "precisions_", "covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(mixture, name), name)
    for name in ("converged_", "n_iter_", "lower_bound_", "lower_bounds_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(mixture, name)
    np.testing.assert_array_equal(loaded.score_samples(blobs), mixture.score_samples(blobs))
    np.testing.assert_array_equal(loaded.sample(9)[0], mixture.sample(9)[0])


@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
def test_a_bayesian_mixture_comes_back_exactly(prior, blobs, tmp_path):
    mixture = BayesianGaussianMixture(3, weight_concentration_prior_type=prior, random_state=0)
    save(mixture.fit(blobs), tmp_path / "mixture.safetensors")
    loaded = load(tmp_path / "mixture.safetensors")
    assert isinstance(loaded, BayesianGaussianMixture)
    learned = {name: value for name, value in vars(mixture).items() if not name.startswith("_")}
    for name, value in learned.items():
        np.testing.assert_array_equal(getattr(loaded, name), value, name)
    np.testing.assert_array_equal(loaded.score_samples(blobs), mixture.score_samples(blobs))


def test_a_low_rank_mixture_keeps_its_loadings_and_no_matrices(blobs, tmp_path):
    mixture = GaussianMixture(2, covariance_type="low_rank", rank=1, random_state=0).fit(blobs)
    save(mixture, tmp_path / "mixture.safetensors")
    loaded = load(tmp_path / "mixture.safetensors")
    np.testing.assert_array_equal(loaded.score_samples(blobs), mixture.score_samples(blobs))
    shapes = [values.shape for values in load_file(tmp_path / "mixture.safetensors").values()]
    assert (2, 4, 4) not in shapes


def test_float32_and_tensors_come_back_in_their_precision(blobs, tmp_path):
    mixture = GaussianMixture(2).fit(torch.from_numpy(blobs).float())
    save(mixture, tmp_path / "single.safetensors")
    loaded = load(tmp_path / "single.safetensors")
    assert loaded.means_.dtype == np.float32
    np.testing.assert_array_equal(loaded.means_, mixture.means_)


@pytest.mark.parametrize("kept", [0, 5, 100, -8])
def test_a_truncated_file_is_an_error_of_one_line(saved, kept):
    _, path = saved
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"mixture\.safetensors: .*expected a \.safetensors"):
        load(path)


def test_garbage_and_foreign_files_are_errors_of_one_line(tmp_path):
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(bytes(range(256)) * 10)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(2)}, foreign)
    edited = tmp_path / "edited.safetensors"
    save_file({"weight": np.zeros(2)}, edited, metadata={"gmm": '{"format": "other"}'})
    for path in (garbage, foreign, edited):
        with pytest.raises(ValueError, match=path.name) as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("estimator", [GaussianMixture(), DensityDetector()])
def test_what_is_not_fitted_is_not_saved(estimator, tmp_path):
    with pytest.raises(NotFittedError):
        save(estimator, tmp_path / "mixture.safetensors")
    assert not list(tmp_path.iterdir())


def test_another_estimator_is_not_saved(blobs, tmp_path):
    with pytest.raises(TypeError, match=r"estimator is a KMeans, expected a fitted .*Detector"):
        save(KMeans(2).fit(blobs), tmp_path / "mixture.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_detector_comes_back_with_its_threshold_and_mixture(blobs, tmp_path):
    mixture = GaussianMixture(2, covariance_type="tied", random_state=0).fit(blobs)
    detector = DensityDetector(mixture, percent=7, cv=0.4, random_state=1).fit(blobs)
    save(detector, tmp_path / "detector.safetensors")
    loaded = load(tmp_path / "detector.safetensors")
    assert isinstance(loaded, DensityDetector)
    assert str(loaded.threshold_) == str(detector.threshold_)
    assert loaded.offset_ == detector.offset_
    assert loaded.mixture.get_params() == mixture.get_params()
    for name in ("predict", "decision_function", "score_samples"):
        expected = getattr(detector, name)(blobs)
        np.testing.assert_array_equal(getattr(loaded, name)(blobs), expected)
    np.testing.assert_array_equal(loaded.held_out_scores_, detector.held_out_scores_)
    np.testing.assert_array_equal(mixture_of(loaded).means_, detector.mixture_.means_)
    assert loaded.fit(blobs).offset_ == detector.offset_


@pytest.mark.filterwarnings("ignore:.*held-out samples cannot resolve")
def test_a_detector_that_flags_nothing_comes_back_from_strict_json(blobs, tmp_path):
    path = tmp_path / "detector.safetensors"
    detector = DensityDetector(cv=0.2, random_state=1).fit(blobs[:50])
    save(detector, path)
    assert detector.offset_ == load(path).offset_ == -np.inf
    assert str(load(path).threshold_) == str(detector.threshold_)

    def refuse_constant(word):
        raise AssertionError(f"{word} is not JSON")

    with safe_open(path, framework="np") as file:
        json.loads(file.metadata()["gmm"], parse_constant=refuse_constant)


def test_a_file_with_an_infinity_that_is_not_json_is_still_read(saved):
    _, path = saved

    def altered(header):
        header["estimator"]["fitted"]["lower_bound_"] = float("-inf")
        header["sha256"] = _digest(header, load_file(path))

    rewritten(path, altered)
    assert load(path).lower_bound_ == -np.inf


def test_initial_values_come_back_and_what_is_of_the_machine_does_not(blobs, tmp_path):
    means = blobs[:2]
    random = np.random.RandomState(0)
    mixture = GaussianMixture(2, means_init=means, random_state=random, device="cpu").fit(blobs)
    save(mixture, tmp_path / "mixture.safetensors")
    settings = load(tmp_path / "mixture.safetensors").get_params()
    np.testing.assert_array_equal(settings["means_init"], means)
    assert settings["random_state"] is None
    assert settings["device"] is None
    assert load(tmp_path / "mixture.safetensors", device="cpu").device == "cpu"


def test_the_same_mixture_gives_the_same_bytes(saved, tmp_path):
    _, path = saved
    save(load(path), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def rewritten(path, edit_header=lambda header: None, edit_arrays=lambda arrays: None):
    """The file with its header or its arrays changed by someone who has safetensors at hand."""
    arrays = load_file(path)
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["gmm"])
    edit_header(header)
    edit_arrays(arrays)
    save_file(arrays, path, metadata={"gmm": json.dumps(header)})


def test_the_metadata_say_what_the_file_is(saved):
    mixture, path = saved
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["gmm"])
    assert header["format"] == "gmm.estimator"
    assert header["version"] == 2
    assert header["dtype"] == ["float64"]
    assert header["estimator"]["class"] == "GaussianMixture"
    assert header["estimator"]["settings"]["covariance_type"] == mixture.covariance_type
    assert len(header["sha256"]) == 64


def moved_mean(arrays):
    arrays["means_"][0, 0] += 1e-12


def test_one_changed_bit_of_a_tensor_is_found(saved):
    _, path = saved
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mixture\.safetensors: its content .* SHA-256"):
        load(path)


@pytest.mark.parametrize(
    ("header", "arrays", "message"),
    [
        (lambda h: None, moved_mean, "SHA-256"),
        (lambda h: None, lambda a: a.pop("weights_"), "SHA-256"),
        (lambda h: None, lambda a: a.update(more=np.zeros(1)), "SHA-256"),
        (lambda h: h["estimator"]["settings"].update(n_components=7), lambda a: None, "SHA-256"),
        (lambda h: h["estimator"]["fitted"].update(n_iter_=1), lambda a: None, "SHA-256"),
        (lambda h: h.update(dtype=["float16"]), lambda a: None, "SHA-256"),
        (lambda h: h.pop("sha256"), lambda a: None, "no 'sha256'"),
        (lambda h: h.update(version=1), lambda a: None, r"version 1 is not gmm\.estimator 2"),
    ],
)
def test_a_file_that_was_altered_is_refused(saved, header, arrays, message):
    _, path = saved
    rewritten(path, header, arrays)
    with pytest.raises(ValueError, match=rf"mixture\.safetensors: .*{message}.*write it again"):
        load(path)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda e: e.update({"class": "Popen"}), "class 'Popen', expected one of Bayesian"),
        (
            lambda e: e["fitted"].update(score_samples=1),
            "'score_samples' is not a fitted attribute",
        ),
        (lambda e: e["fitted"].update(__class__=1), "'__class__' is not a fitted attribute"),
        (lambda e: e["settings"].update(shell=True), "shell"),
        (lambda e: e["fitted"].pop("weights_"), "weights_"),
        (lambda e: e["fitted"].update(means_={"array": "weights_"}), "weights_|shape|tuple|dim"),
        (
            lambda e: e["fitted"].update(means_={"pickle": "x"}),
            "'pickle' is not a value that a mixture holds",
        ),
    ],
)
def test_a_file_with_a_true_checksum_still_holds_nothing_but_a_mixture(saved, alter, message):
    _, path = saved

    def altered(header):
        alter(header["estimator"])
        header["sha256"] = _digest(header, load_file(path))

    rewritten(path, altered)
    with pytest.raises(ValueError, match=rf"mixture\.safetensors: .*({message})") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("weights_", np.array([-1.0, 2.0, 0.0]), "weights_ has least element -1"),
        ("weights_", np.array([np.nan, 1.0, 0.0]), "weights_ has least element nan"),
        ("weights_", np.ones(2), r"weights_ has shape \(2,\), expected \(3,\)"),
        ("means_", np.ones((3, 4), dtype=np.int64), "means_ has dtype int64, expected floats"),
    ],
)
def test_numbers_of_which_no_mixture_is_made_are_refused_whatever_the_checksum(
    blobs, tmp_path, name, values, message
):
    path = tmp_path / "mixture.safetensors"
    save(GaussianMixture(3, covariance_type="diag", random_state=0).fit(blobs), path)
    rewritten(path, edit_arrays=lambda arrays: arrays.update({name: values}))
    rewritten(path, lambda header: header.update(dtype=["float64"]))
    rewritten(path, lambda header: header.update(sha256=_digest(header, load_file(path))))
    with pytest.raises(ValueError, match=rf"mixture\.safetensors: .*{message}"):
        load(path)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda e: e["settings"].update(percent="4"), "percent='4', expected a number"),
        (lambda e: e["settings"].update(percent=400), "percent=400, expected a number"),
        (lambda e: e["fitted"].update(threshold_nats_="low"), "threshold_nats_='low', expected"),
        (lambda e: e["fitted"].update(held_out_scores_="abc"), "held_out_scores_ is array"),
    ],
)
def test_a_detector_with_a_threshold_that_is_none_is_refused(blobs, tmp_path, alter, message):
    path = tmp_path / "detector.safetensors"
    save(DensityDetector(random_state=0).fit(blobs), path)

    def altered(header):
        alter(header["estimator"])
        header["sha256"] = _digest(header, load_file(path))

    rewritten(path, altered)
    with pytest.raises(ValueError, match=rf"detector\.safetensors: .*{message}"):
        load(path)
