"""What the validation images say of certainty, on disk and back."""

import json

import pytest
import torch

from cellxai.evaluation.class_calibration import ClassCalibration, read_calibration
from cellxai.evaluation.conformal import ConformalClassifier
from cellxai.evaluation.temperature import fit_temperature

CLASSES = ("a", "b", "c")


@pytest.fixture
def logits():
    return 2 * torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels():
    return torch.randint(3, (40,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def folder(tmp_path, logits, labels):
    ClassCalibration.fit("w", CLASSES, logits, labels).save(tmp_path)
    return tmp_path


def test_what_is_read_gives_the_same_sets_and_probabilities(folder, logits, labels):
    calibration, reason = read_calibration(folder, "w", CLASSES)
    assert calibration is not None
    assert reason == ""
    direct = ConformalClassifier.calibrate(logits, labels, 0.2, by_class=True)
    new = torch.randn(9, 3, generator=torch.Generator().manual_seed(2))
    assert torch.equal(calibration.conformal(0.2, by_class=True).sets(new), direct.sets(new))
    temperature = fit_temperature(logits, labels)
    expected = (new.double() / temperature).softmax(-1)
    torch.testing.assert_close(calibration.probabilities(new), expected, rtol=0, atol=1e-15)


def test_a_network_that_is_always_right_keeps_its_softmax_and_says_why(labels):
    logits = 8.0 * torch.nn.functional.one_hot(labels, 3)
    calibration = ClassCalibration.fit("w", CLASSES, logits, labels)
    assert calibration.temperature is None
    assert "no temperature is best" in calibration.problem.replace("\n", " ")
    torch.testing.assert_close(calibration.probabilities(logits), logits.double().softmax(-1))


def test_a_run_that_was_not_evaluated_has_none_and_says_what_to_call(tmp_path):
    assert read_calibration(tmp_path, "w", CLASSES) == (
        None,
        "not calibrated yet: cellxai evaluate does it",
    )


def test_other_weights_are_not_calibrated_by_it(folder):
    calibration, reason = read_calibration(folder, "others", CLASSES)
    assert calibration is None
    assert "cellxai evaluate again" in reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1.0),
        ("temperature", "hot"),
        ("labels", [7] * 40),
        ("labels", [0]),
        ("nonconformity", [2.0] * 40),
        ("nonconformity", None),
        ("classes", ["a", "b"]),
        ("problem", ...),
    ],
)
def test_a_damaged_file_is_named(folder, name, value):
    path = folder / "calibration.json"
    stored = json.loads(path.read_text())
    if value is ...:
        del stored[name]
    else:
        stored[name] = value
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"calibration\.json is damaged"):
        read_calibration(folder, "w", CLASSES)
