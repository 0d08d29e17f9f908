"""What the validation images say of the network's certainty, kept for images to come.

``evaluate`` writes it and ``score`` reads it, so that no image of the training is needed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.evaluation.conformal import ConformalClassifier, nonconformity
from cellxai.evaluation.temperature import fit_temperature
from cellxai.files.folder import read_json, write_json

CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True)
class ClassCalibration:
    """Temperature and nonconformity of images that the network was not trained on.

    Args:
        weights: SHA-256 of the network's weights: of another network this says nothing.
        classes: Names of the classes, in the order of the logits.
        temperature: What the logits are divided by; ``None`` where no temperature is best.
        problem: Why there is no temperature; empty where there is one.
        nonconformity: One minus the probability of its own class, of each image, at temperature 1:
            a temperature that is fitted to the same images would break their exchangeability with
            new ones.
        labels: True classes of the images.
    """

    weights: str
    classes: tuple[str, ...]
    temperature: float | None
    problem: str
    nonconformity: tuple[float, ...]
    labels: tuple[int, ...]

    @classmethod
    def fit(
        cls,
        weights: str,
        classes: Sequence[str],
        logits: Float[Tensor, "n k"],
        labels: Int[Tensor, " n"],
    ) -> "ClassCalibration":
        """Calibrates on images that the network was not trained on.

        Args:
            weights: SHA-256 of the network's weights.
            classes: Names of the classes.
            logits: Logits of the images.
            labels: True classes of the images.
        """
        try:
            temperature, problem = fit_temperature(logits, labels), ""
        except ValueError as error:
            temperature, problem = None, f"of the validation images, {error}"
        own = nonconformity(logits).gather(-1, labels[:, None])[:, 0]
        return cls(
            weights, tuple(classes), temperature, problem,
            tuple(own.tolist()), tuple(labels.tolist()),
        )  # fmt: skip

    def probabilities(self, logits: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """Calibrated probabilities in float64: the softmax at the temperature, or at 1 without."""
        return (logits.double() / (self.temperature or 1.0)).softmax(-1)

    def conformal(self, error_rate: float, by_class: bool = False) -> ConformalClassifier:
        """Sets of classes that lack the true one at most this often.

        Args:
            error_rate: Largest share of new images whose set may lack the true class.
            by_class: Whether the promise is to hold within each class.

        Raises:
            ValueError: If the error rate is not between 0 and 1.
        """
        own = torch.tensor(self.nonconformity, dtype=torch.float64)
        labels = torch.tensor(self.labels, dtype=torch.long)
        return ConformalClassifier(own, labels, len(self.classes), error_rate, by_class)

    def save(self, folder: Path) -> None:
        """Writes ``calibration.json``, atomically."""
        write_json(folder / CALIBRATION_FILE, asdict(self))


def read_calibration(
    folder: Path, weights: str, classes: Sequence[str]
) -> tuple[ClassCalibration | None, str]:
    """The calibration of a run, or ``None`` and the reason.

    Args:
        folder: The folder of ``evaluate``.
        weights: SHA-256 of the weights of the network that is to be calibrated.
        classes: Names of its classes.

    Raises:
        ValueError: If the file is damaged.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None, "not calibrated yet: cellxai evaluate does it"
    stored = read_json(path)
    if not isinstance(stored, Mapping) or stored.get("weights") != weights:
        return None, "calibrated for other weights: call cellxai evaluate again"
    try:
        return parse_calibration(stored, classes), ""
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); call cellxai evaluate again"
        ) from None


def parse_calibration(stored: Mapping[str, Any], classes: Sequence[str]) -> ClassCalibration:
    """A calibration from the values of its file, each checked.

    Raises:
        KeyError: If a value is missing.
        TypeError: If a value is of another type.
        ValueError: If a value does not fit.
    """
    temperature = stored["temperature"]
    own = tuple(float(value) for value in stored["nonconformity"])
    labels = tuple(int(label) for label in stored["labels"])
    if tuple(stored["classes"]) != tuple(classes):
        raise ValueError(f"classes are {stored['classes']}, those of the run are {list(classes)}")
    if temperature is not None and not 0 < float(temperature) < float("inf"):
        raise ValueError(f"temperature is {temperature}, not a positive number")
    if len(own) != len(labels) or not all(0 <= value <= 1 for value in own):
        raise ValueError(f"{len(own)} nonconformities for {len(labels)} labels, each within 0 to 1")
    if not all(0 <= label < len(classes) for label in labels):
        raise ValueError(f"a label is none of the {len(classes)} classes")
    return ClassCalibration(
        str(stored["weights"]), tuple(classes),
        None if temperature is None else float(temperature),
        str(stored["problem"]), own, labels,
    )  # fmt: skip
