import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.density import DensityPipeline, PipelineSettings
from cellxai.density import pipeline as module
from cellxai.files.digest import stop_vouching
from gmm.anomaly import density_threshold

ONE = PipelineSettings(projection=3, n_components=(1,), covariance_types=("full",), n_init=1)


def features(n: int = 60, f: int = 8, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(f, f, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return torch.randn(n, f, generator=generator, dtype=torch.float64) @ mix + 2


def test_one_gaussian_scores_as_scikit_learn_does():
    x, new = features(), features(seed=1)
    ours = DensityPipeline(ONE).fit(x)
    pca = PCA(3, svd_solver="full").fit(x)
    theirs = GaussianMixture(1).fit(pca.transform(x))
    expected = theirs.score_samples(pca.transform(new))
    np.testing.assert_allclose(ours.score_samples(new), expected, rtol=1e-5)


def test_the_threshold_is_that_of_images_that_were_not_fitted():
    x, held_out = features(), features(seed=1)
    found = DensityPipeline(ONE).fit(x).calibrate(held_out)
    scores = DensityPipeline(ONE).fit(x).score_samples(held_out).numpy()
    assert found.threshold == density_threshold(scores, ONE.percent)
    assert (
        found.unfamiliar(x) == (found.score_samples(x).numpy() < found.threshold.threshold_nats)
    ).all()


def test_in_folds_each_score_is_that_of_a_pipeline_without_the_image():
    x, folds = features(), torch.arange(60) % 4
    found = DensityPipeline(ONE).fit_folds(x, folds).calibration_
    for fold in range(4):
        blind = DensityPipeline(ONE).fit(x[folds != fold])
        assert torch.equal(found.log_density[folds == fold], blind.score_samples(x[folds == fold]))
        error = blind.reconstruction_error(x[folds == fold])
        assert found.error is not None
        assert error is not None
        assert torch.equal(found.error[folds == fold], error)


@pytest.mark.parametrize("projection", [0.9, 3, None])
@pytest.mark.parametrize("per_class", [False, True])
def test_no_score_that_sets_a_threshold_comes_from_a_fit_to_its_image(
    monkeypatch, projection, per_class
):
    x, folds, labels = features(), torch.arange(60) % 3, torch.arange(60) // 30
    fitted = []
    fit, scores = module.fit_density, DensityPipeline._scores

    def spy(rows, *rest):
        density, sweeps = fit(rows, *rest)
        fitted.append((density, set(map(tuple, rows.tolist()))))
        return density, sweeps

    asked = []

    def ask(self, rows):
        (seen,) = [seen for density, seen in fitted if density is self.fitted_]
        asked.append((seen, set(map(tuple, rows.tolist()))))
        return scores(self, rows)

    monkeypatch.setattr(module, "fit_density", spy)
    monkeypatch.setattr(DensityPipeline, "_scores", ask)
    settings = PipelineSettings(
        projection=projection, n_components=(1,), covariance_types=("diag",), per_class=per_class
    )
    DensityPipeline(settings).fit_folds(x, folds, labels)
    assert len(asked) == 3
    assert all(not (seen & unseen) for seen, unseen in asked)
    assert set().union(*(unseen for _, unseen in asked)) == set(map(tuple, x.tolist()))


def test_a_poisoned_image_cannot_vouch_for_itself():
    # Twenty copies of a stranger would make it known, were any of its fold in the fit.
    x = torch.cat([features(), torch.full((20, 8), 1e3, dtype=torch.float64)])
    folds = torch.cat([torch.arange(60) % 4, torch.full((20,), 4)])
    found = DensityPipeline(ONE).fit_folds(x, folds)
    assert found.calibration_.log_density[60:].max() < found.calibration_.log_density[:60].min()
    assert found.fitted_.fit_log_density[60:].min() > found.calibration_.log_density[60:].max()


def test_folds_keep_the_dimensions_of_the_whole():
    # With a share, a fold may need an axis less, and its scores would be nats off.
    x = features(40, 30)
    found = DensityPipeline(PipelineSettings(projection=0.9, n_components=(1,),
                                             covariance_types=("diag",)))  # fmt: skip
    found.fit_folds(x, torch.arange(40) % 5)
    n_dimensions = found.fitted_.projection.n_dimensions
    share = PipelineSettings(projection=n_dimensions, n_components=(1,),
                             covariance_types=("diag",))  # fmt: skip
    fixed = DensityPipeline(share).fit_folds(x, torch.arange(40) % 5)
    assert torch.equal(found.calibration_.log_density, fixed.calibration_.log_density)


def test_where_a_fold_has_fewer_axes_than_all_images_these_have_as_few():
    x = features(12, 30)
    settings = PipelineSettings(projection=0.999999, n_components=(1,), covariance_types=("diag",))
    found = DensityPipeline(settings).fit_folds(x, torch.arange(12) % 3)
    assert DensityPipeline(settings).fit(x).fitted_.projection.n_dimensions == 11
    assert found.fitted_.projection.n_dimensions == 7
    assert found.calibration_.log_density.isfinite().all()


def test_of_a_mixture_per_class_the_classes_add_up():
    x, labels = features(), torch.arange(60) % 3
    settings = PipelineSettings(projection=3, n_components=(1,), covariance_types=("full",),
                                per_class=True)  # fmt: skip
    found = DensityPipeline(settings).fit(x, labels)
    joint = 0
    for name in range(3):
        own = found.class_log_density(x, torch.full((60,), name))
        points = found.fitted_.projection.points(x)
        alone = GaussianMixture(1).fit(points[labels == name]).score_samples(points)
        np.testing.assert_allclose(own, alone, rtol=1e-5)
        joint = joint + np.exp(alone) / 3
    np.testing.assert_allclose(found.score_samples(x), np.log(joint), rtol=1e-5)
    assert found.class_log_density(x, torch.full((60,), 7))[0] == -torch.inf


def test_one_mixture_of_all_knows_no_classes():
    found = DensityPipeline(ONE).fit(features())
    assert found.class_log_density(features(), torch.zeros(60, dtype=torch.int64)) is None


@pytest.mark.parametrize("settings", [
    ONE,
    PipelineSettings(standardise=True, projection=0.9, n_components=(1, 2),
                     covariance_types=("diag", "tied"), n_init=1),
    PipelineSettings(projection=None, n_components=(2,), covariance_types=("low_rank",), rank=2,
                     n_init=1),
    PipelineSettings(projection=2, per_class=True, n_components=(1,),
                     covariance_types=("full",), n_init=1,
                     verdict="either"),
])  # fmt: skip
def test_a_file_answers_as_what_was_saved(tmp_path, settings):
    x, new = features(), features(seed=1)
    saved = DensityPipeline(settings, 3).fit_folds(x, torch.arange(60) % 3, torch.arange(60) % 2)
    saved.save(tmp_path / "pipeline.safetensors")
    read = DensityPipeline.load(tmp_path / "pipeline.safetensors")
    assert torch.equal(read.score_samples(new), saved.score_samples(new))
    assert (read.unfamiliar(new) == saved.unfamiliar(new)).all()
    assert torch.equal(read.evidence(new), saved.evidence(new))
    assert read.threshold == saved.threshold
    assert read.gap_nats == saved.gap_nats
    assert (read.seed, read.settings.projection) == (3, settings.projection)


def test_a_damaged_or_foreign_file_is_one_line(tmp_path):
    path = tmp_path / "pipeline.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file"):
        DensityPipeline.load(path)
    save_file({"mean": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="no density pipeline"):
        DensityPipeline.load(path)
    DensityPipeline(ONE).fit(features()).calibrate(features(seed=1)).save(path)
    assert {"mean", "axes", "calibration.log_density"} < set(load_file(path))
    stop_vouching(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="no density pipeline") as caught:
        DensityPipeline.load(path)
    assert "\n" not in str(caught.value)


def test_the_log_density_is_differentiable_in_the_features():
    found = DensityPipeline(ONE).fit(features())
    x = features(4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(found.score_samples, (x,))


def test_features_of_float32_are_scored_in_float32():
    found, new = DensityPipeline(ONE).fit(features()), features(seed=1)
    short = found.score_samples(new.float())
    assert short.dtype == torch.float32
    torch.testing.assert_close(short.double(), found.score_samples(new), rtol=1e-4, atol=1e-4)


def test_a_new_fit_forgets_the_threshold_of_the_old_one():
    found = DensityPipeline(ONE).fit(features()).calibrate(features(seed=1)).fit(features(seed=2))
    with pytest.raises(AttributeError):
        found.threshold  # noqa: B018


def test_features_that_nothing_can_be_learnt_from_are_refused():
    with pytest.raises(ValueError, match="at least two images"):
        DensityPipeline(ONE).fit(features(1))
    broken = features()
    broken[3, 1] = torch.nan
    with pytest.raises(ValueError, match="image 3 are not finite"):
        DensityPipeline(ONE).fit(broken)
    with pytest.raises(ValueError, match="per_class=true needs the classes"):
        DensityPipeline(PipelineSettings(per_class=True)).fit(features())
    with pytest.raises(ValueError, match="1 fold of 60 images"):
        DensityPipeline(ONE).fit_folds(features(), torch.zeros(60, dtype=torch.int64))


def test_the_pipeline_is_had_without_the_networks():
    code = (
        "import sys, cellxai.density\n"
        "sys.exit(sum(name in sys.modules for name in ('lightning', 'timm', 'cv2', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert PipelineSettings().layer == PENULTIMATE
