from pathlib import Path

import numpy as np
import pytest
import torch

from cellxai.data.records import Record
from cellxai.density.comparison import Sample, compare, over_rounds, reliability
from cellxai.density.known import Known
from cellxai.density.plane import plane_of
from cellxai.density.rounds import NONE, Roles, fit_round, roles_of_folds, roles_of_parts
from cellxai.density.settings import PipelineSettings
from cellxai.density.strangers import Strangers
from cellxai.trained.image_sets import ImageSet

PARTS = ["train"] * 6 + ["validation"] * 3 + ["test"] * 4
SETTINGS = PipelineSettings(
    projection=2, n_components=(1,), covariance_types=("full",), n_init=1, percent=10.0
)


def image_set(n: int, seed: int = 0, shift: float = 0.0, name: str = "k") -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, 5, generator=generator, dtype=torch.float64) + shift
    records = tuple(Record(f"{name}{i}", Path("x"), "ab"[i % 2]) for i in range(n))
    return ImageSet(records, torch.zeros(n, 1, 2, 2, dtype=torch.uint8), features, None)


def places(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def test_training_images_fit_validation_images_calibrate_and_test_images_are_judged():
    found = roles_of_parts(PARTS, [True] * 13)
    assert found.fitted.tolist() == list(range(6))
    assert found.calibrating.tolist() == [6, 7, 8]
    assert found.judged.tolist() == [9, 10, 11, 12]


def test_a_class_that_is_left_out_has_no_role():
    found = roles_of_parts(PARTS, [i % 2 == 0 for i in range(13)])
    assert found.fitted.tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match="no image of part 'validation' is left"):
        roles_of_parts(PARTS, [not 6 <= i < 9 for i in range(13)])


def test_in_turn_every_image_is_judged_once_by_the_others():
    folds = torch.arange(12) % 3
    found = roles_of_folds(folds, [True] * 12)
    assert sorted(torch.cat([one.judged for one in found]).tolist()) == list(range(12))
    for one in found:
        assert not {*one.judged.tolist()} & {*one.fitted.tolist()}
        assert torch.equal(one.folds, folds[one.fitted])


@pytest.mark.parametrize(("calibrating", "judged"), [([1], [2]), ([2], [1]), ([3], [3])])
def test_no_image_can_have_two_roles(calibrating, judged):
    with pytest.raises(AssertionError, match="two roles"):
        Roles(places([0, 1]), places(calibrating), places(judged), NONE)


def test_a_threshold_needs_one_source():
    with pytest.raises(AssertionError, match="one source"):
        Roles(places([0, 1]), NONE, places([2]), NONE)


def test_the_figures_of_rounds_are_their_mean_by_known_images():
    near = Sample(np.array([2.0, 1.0, 1.5]), np.array([False, False, True]), np.array([0, 1, 4]))
    far = Sample(np.array([2.0, 0.0]), np.array([False, True]), np.array([2, 4]))
    found = over_rounds([near, far], np.ones((1, 5)))
    # A stranger above one of two, then below the only one: (2 · 1/2 + 1 · 1) / 3.
    assert found["auroc"][0] == pytest.approx(2 / 3)
    without_far = over_rounds([near, far], np.array([[1.0, 1, 0, 1, 1]]))
    assert without_far["auroc"][0] == pytest.approx(1 / 2)


def test_strangers_are_told_from_known_images_in_every_round():
    known = Known({"train": image_set(30)}, ("a", "b"))
    rounds = [
        fit_round(known, one, SETTINGS, {}, 0)
        for one in roles_of_folds(torch.arange(30) % 3, [True] * 30)
    ]
    far, alike = image_set(9, 1, 60.0, "far"), image_set(30, 2, 0.0, "alike")
    table = compare(known, rounds, {"far": Strangers(far), "alike": Strangers(alike)}, 0)
    areas = {(row.detector, row.set): row for row in table}
    assert areas["density + reconstruction", "far"].values["auroc"] == 1
    assert (areas["density", "far"].n_in, areas["density", "far"].n_out) == (30, 9)
    low, high = areas["density", "alike"].intervals["auroc"]
    assert low < 0.5 < high


def test_what_a_threshold_flags_is_counted_on_judged_images():
    known = Known({"train": image_set(40)}, ("a", "b"))
    rounds = [
        fit_round(known, one, SETTINGS, {}, 0)
        for one in roles_of_folds(torch.arange(40) % 4, [True] * 40)
    ]
    (row,) = [one for one in reliability(known, rounds) if one["nominal_percent"] == 10]
    own, naive = 0, 0
    for one in rounds:
        scores = one.pipeline.score_samples(known.features[one.roles.judged])
        own += int((scores < one.pipeline.threshold.threshold_nats).sum())
        cut = np.percentile(one.pipeline.fitted_.fit_log_density, 10, method="weibull")
        naive += int((scores < cut).sum())
    assert float(row["measured_share"]) == pytest.approx(own / 40)
    assert float(row["naive_share"]) == pytest.approx(naive / 40)


@pytest.mark.parametrize("settings", [
    SETTINGS,
    PipelineSettings(projection=None, n_components=(2,), covariance_types=("full",)),
])  # fmt: skip
def test_contours_are_the_density_of_the_points_in_the_plane(settings):
    known = Known({"train": image_set(200)}, ("a", "b"))
    one = fit_round(known, roles_of_folds(torch.arange(200) % 4, [True] * 200)[0], settings, {}, 0)
    plane = plane_of(one.pipeline)
    points = plane.points(known.features)
    assert float(plane.weights.sum()) == pytest.approx(1)
    mean = plane.weights @ plane.means
    away = plane.means - mean
    spread = torch.einsum("k,kij->ij", plane.weights, plane.covariances)
    spread = spread + (plane.weights[:, None] * away).T @ away
    torch.testing.assert_close(mean, points.mean(0), atol=0.2, rtol=0)
    torch.testing.assert_close(spread, points.T.cov(), atol=0.3, rtol=0.3)
    # The wider direction comes first.
    assert spread[0, 0] > spread[1, 1]
