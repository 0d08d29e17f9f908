"""The mixtures lesson says what it always said, and its last section what it did not."""

import json
import re

import numpy as np
import pytest
import reproduce_mixtures
from mixtures_lesson import bayesian, blobs, choosing, faces, held_out, memorisation
from mixtures_lesson.page import write_page, write_pictures
from sklearn.metrics import roc_auc_score


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return blobs.three_blobs()


@pytest.fixture(scope="module")
def photos(shared_data) -> tuple[np.ndarray, np.ndarray]:
    return faces.load_faces(shared_data / "olivetti")


def test_the_header_has_the_command_its_cost_and_its_expected_result():
    header = str(reproduce_mixtures.__doc__)
    assert "\npython scripts/reproduce_mixtures.py --out " in header
    assert re.search(r"\ncost: \d\S* min.*; expect: \S", header)


def test_three_blobs_have_the_weights_that_the_lesson_states(x):
    numbers = blobs.fit_section(x).numbers
    np.testing.assert_allclose(numbers["weights"], [0.4, 0.39, 0.21], atol=0.005)
    np.testing.assert_allclose(
        numbers["means"], [[-1.41, 1.43], [0.05, 0.08], [3.40, 1.06]], atol=0.01
    )
    assert numbers["converged"] is True
    assert numbers["density_integral"] == pytest.approx(1, abs=1e-4)


def test_of_four_shapes_only_full_has_room_for_the_blobs(x):
    bic = blobs.shapes_section(x).numbers["bic"]
    assert bic["full"] < bic["tied"] < min(bic["diag"], bic["spherical"])


def test_samples_are_drawn_from_the_components_by_their_weights(x):
    numbers = blobs.sampling_section(x).numbers
    deviation = np.sqrt(0.25 / numbers["n_samples"])
    np.testing.assert_allclose(numbers["drawn_shares"], numbers["weights"], atol=4 * deviation)
    np.testing.assert_allclose(numbers["drawn_mean"], numbers["given_mean"], atol=0.2)


def test_four_percent_are_anomalies(x):
    numbers = blobs.anomalies_section(x).numbers
    assert (numbers["n_flagged"], numbers["n_samples"]) == (50, 1250)


@pytest.mark.slow
def test_bic_and_aic_are_least_at_three_components_with_the_values_of_the_lesson(x):
    numbers = choosing.criteria_section(x).numbers
    assert (numbers["least_at"]["bic"], numbers["least_at"]["aic"]) == (3, 3)
    assert numbers["least_at"]["icl"] == 3
    assert numbers["bic"][2] == pytest.approx(8189.7, abs=0.2)
    assert numbers["aic"][2] == pytest.approx(8102.5, abs=0.2)


@pytest.mark.slow
def test_of_forty_cells_three_full_components_have_the_least_bic(x):
    numbers = choosing.search_section(x).numbers
    assert numbers["n_cells"] == 40
    assert (numbers["best_n_components"], numbers["best_covariance_type"]) == (3, "full")
    assert numbers["least_bic"] == min(min(values) for values in numbers["bic"].values())


def test_a_bayesian_mixture_of_ten_components_keeps_three(x):
    numbers = bayesian.pruning_section(x).numbers
    assert (numbers["n_components"], numbers["n_kept"]) == (10, 3)
    np.testing.assert_allclose(numbers["weights"][:3], [0.4, 0.39, 0.21], atol=0.01)


def test_the_prior_decides_how_many_components_few_samples_keep(x):
    few, many = bayesian.prior_section(x).numbers["n_kept"]
    assert few < many


def test_two_moons_become_several_gaussians_that_keep_the_moons_apart():
    numbers = bayesian.moons_section().numbers
    assert 6 <= numbers["n_kept"] <= 10
    assert numbers["n_mixed"] <= 1


def test_the_page_quotes_every_picture_and_the_numbers_are_those_of_the_sections(x, tmp_path):
    section = blobs.fit_section(x)
    write_pictures(section, tmp_path)
    write_page([section], ["a remark"], tmp_path)
    page = (tmp_path / "lesson.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\w+\.png)\)", page))
    assert linked == {path.name for path in tmp_path.glob("*.png")}
    assert f"{section.numbers['mean_log_density_nats']:.4f} nats" in page
    assert json.loads((tmp_path / "numbers.json").read_text())["blobs"] == section.numbers
    assert page.endswith("a remark\n")


def test_without_the_faces_the_rest_is_written_and_one_line_says_so(
    x, tmp_path, monkeypatch, capsys
):
    drafts = iter([lambda: blobs.anomalies_section(x)])
    monkeypatch.setattr(reproduce_mixtures, "plane_drafts", lambda: drafts)
    out, nothing = tmp_path / "out", tmp_path / "nothing"
    monkeypatch.setattr("sys.argv", ["reproduce", "--out", str(out), "--data_home", str(nothing)])
    reproduce_mixtures.main()
    said = [line for line in capsys.readouterr().out.splitlines() if "skipped" in line]
    assert said == [line for line in said if str(nothing) in line and "--data_home" in line]
    assert said[0] in (out / "lesson.md").read_text(encoding="utf-8")
    assert len(said) == 1


def test_spoiling_twice_gives_the_face_back_unless_it_is_dark():
    some = np.random.default_rng(0).random((3, 64 * 64))
    for spoil in (faces.rotated, faces.flipped):
        assert not np.array_equal(spoil(some), some)
        np.testing.assert_array_equal(spoil(spoil(some)), some)
    np.testing.assert_allclose(faces.darkened(some)[:, 1:-1], 0.3 * some[:, 1:-1])


def test_faces_that_lie_on_their_side_are_turned(photos):
    grey, _ = photos
    np.testing.assert_array_equal(faces.upright(faces.rotated(grey)), grey)
    np.testing.assert_array_equal(faces.upright(grey), grey)


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    bad, good = random.integers(0, 8, 30).astype(float), random.integers(3, 12, 50).astype(float)
    expected = roc_auc_score([1] * 30 + [0] * 50, -np.concatenate([bad, good]))
    assert held_out.auroc(bad, good) == pytest.approx(expected)


@pytest.mark.parametrize("n", [26, 40, 200])
def test_expected_alarms_are_the_percentile_of_the_expected_order_statistics(n):
    # Of n uniform numbers, the i-th least is i / (n + 1) on average.
    expected = np.percentile(np.arange(1, n + 1) / (n + 1), blobs.PERCENT)
    assert held_out.expected_alarms(n) == pytest.approx(expected)


def test_every_photo_is_counted_within_its_person():
    people = np.array([3, 1, 3, 3, 1])
    assert held_out.photo_numbers(people).tolist() == [0, 0, 1, 2, 1]


def test_the_best_setting_is_chosen_among_those_that_know_unseen_photos():
    def judged(alarms: float, least: float) -> held_out.Judgement:
        areas = dict(zip(held_out.SPOILERS, (least, 1.0, 1.0), strict=True))
        return held_out.Judgement(alarms, 0.04, areas, areas)

    memory, good, better = (held_out.Setting(share, "tied", 10) for share in (0.99, 0.95, 0.9))
    found = {memory: judged(1.0, 0.99), good: judged(0.01, 0.9), better: judged(0.05, 0.95)}
    assert held_out.best_setting(found) == better


def test_the_faces_have_260_principal_components_and_the_errors_that_were_measured(photos):
    model = faces.FaceModel(*photos)
    assert model.pca.n_components_ == 260
    good = faces.reconstruction_error(model.pca, model.faces)
    bad = [spoil(model.faces[: faces.N_SPOILT[kind]]) for kind, spoil in faces.SPOILERS.items()]
    spoilt = faces.reconstruction_error(model.pca, np.concatenate(bad))
    assert good.mean() == pytest.approx(0.0001926, rel=1e-3)
    assert spoilt.mean() == pytest.approx(0.003841, rel=1e-3)


def test_the_lessons_mixture_flags_unseen_photos_and_the_recommended_one_does_not(photos):
    grey, people = photos
    photo = held_out.photo_numbers(people)
    sets = {"fit": grey[photo > 1], "calibration": grey[photo == 1], "held out": grey[photo == 0]}
    sets |= {kind: spoil(sets["held out"]) for kind, spoil in held_out.SPOILERS.items()}

    def judged(setting: held_out.Setting) -> held_out.Judgement:
        return held_out.judged_rounds([held_out.scores_of_sets(sets, setting)[held_out.DENSITY]])

    lessons = judged(held_out.Setting(0.99, "full", 40, n_init=1))
    recommended = judged(held_out.Setting(0.9, "tied", 15))
    assert lessons.false_alarms_training > 0.95
    assert recommended.false_alarms_training <= 0.1
    assert min(recommended.auroc.values()) > 0.95


@pytest.mark.slow
def test_the_whole_lesson_about_faces_is_what_was_measured(photos, tmp_path):
    model = faces.FaceModel(*photos)
    sections = [
        faces.clusters_section(model),
        faces.generated_section(model),
        faces.bad_faces_section(model),
        memorisation.held_out_section(*photos),
    ]
    write_page(sections, [], tmp_path)
    clusters, _, spoilt, memory = (section.numbers for section in sections)
    assert clusters["n_pca_components"] == 260
    assert clusters["lower_bound_nats"] == pytest.approx(1470, abs=10)
    assert clusters["within_cluster_nats"] < 0.01 * clusters["between_clusters_nats"]
    assert spoilt["bad_nats"][1] < -1e7 < 1000 < spoilt["good_nats"][0]
    assert memory["lessons"]["false_alarms_at_threshold_of_fit"] > 0.95
    assert memory["best"]["false_alarms_at_threshold_of_fit"] <= held_out.MOST_ALARMS
    assert min(memory["best"]["auroc"].values()) > 0.98
    by_detector = {each["name"]: each["auroc"] for each in memory["detectors_of_best"]}
    assert by_detector[held_out.ERROR]["darkened"] < 0.2
    assert by_detector[held_out.BOTH]["darkened"] > 0.95
