"""What a run or an export says of prepared images: rows of the table of scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.data.pixels.transforms import Transforms
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.places import PlaceDensity
from cellxai.evaluation.class_calibration import ClassCalibration
from cellxai.evaluation.conformal import ConformalClassifier
from cellxai.trained.image_stream import Chunk
from cellxai.verbs.score.table import BETWEEN_CLASSES, NO_CLASS, ScoreRow, probability_columns

BLANK_DENSITY = ("", "", "")
BLANK_PLACES = ("", "")


@dataclass(frozen=True)
class Densities:
    """What says how well an image is known.

    Args:
        pipeline: The density of the images' features.
        places: The density of places; ``None`` where the run has none.
    """

    pipeline: DensityPipeline
    places: PlaceDensity | None


@dataclass(frozen=True)
class Certainty:
    """What validation images say of the probabilities.

    Args:
        calibration: Their temperature; ``None`` where nothing was calibrated.
        conformal: Their conformal sets; ``None`` likewise.
        problem: Why there are none, or what they cannot promise; empty where all is well.
    """

    calibration: ClassCalibration | None
    conformal: ConformalClassifier | None
    problem: str

    def probabilities(self, logits: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """Probability of each class, at the temperature where there is one."""
        if self.calibration is None:
            return logits.double().softmax(1)
        return self.calibration.probabilities(logits)

    def possible_classes(self, logits: Float[Tensor, "n k"], names: Sequence[str]) -> list[str]:
        """The cell that names the classes of each image's set, the likeliest first."""
        if self.conformal is None:
            return [""] * len(logits)
        orders = logits.argsort(1, descending=True).tolist()
        sets = self.conformal.sets(logits).tolist()
        return [
            BETWEEN_CLASSES.join(names[c] for c in order if is_possible[c]) or NO_CLASS
            for order, is_possible in zip(orders, sets, strict=True)
        ]


@dataclass(frozen=True)
class Scorer:
    """Everything that judges an image.

    Args:
        folder: That the network was read from.
        network: Images to a row each: the logits, then the features that the density is of, then
            the log density of the least known places; the latter two where there are densities.
        classes: Names of the classes, in the order of the logits.
        transforms: What happens to an image before the network.
        device: Where the network computes.
        certainty: What is known of the probabilities.
        densities: ``None`` where there are none, so that nobody says whether an image is known.
        way_out: How such a density is had.
        identity: What tells these scores from those of others.
    """

    folder: Path
    network: Callable[[Tensor], Tensor]
    classes: tuple[str, ...]
    transforms: Transforms
    device: torch.device
    certainty: Certainty
    densities: Densities | None
    way_out: str
    identity: Mapping[str, str | None]

    def rows(self, chunk: Chunk, keys: Mapping[str, tuple[str, str]]) -> list[ScoreRow]:
        """The rows of a chunk of images, broken ones last.

        Args:
            chunk: The images with what :attr:`network` answered.
            keys: File and time of change of each image, by its id.
        """
        broken = [
            ScoreRow(name, *keys[name], fault=str(fault)) for name, fault in chunk.broken.items()
        ]
        if not chunk.records:
            return broken
        n_classes = len(self.classes)
        logits, rest = chunk.outputs[:, :n_classes], chunk.outputs[:, n_classes:]
        predicted = logits.argmax(1)
        columns = probability_columns(self.classes)
        cells = zip(
            chunk.records,
            self.certainty.probabilities(logits).tolist(),
            predicted.tolist(),
            self.certainty.possible_classes(logits, self.classes),
            *self._density_cells(rest, predicted),
            strict=True,
        )
        return [
            ScoreRow(
                record.id, *keys[record.id], self.classes[place], f"{shares[place]:.6f}", possible,
                *of_features, *of_places,
                probabilities={c: f"{p:.6f}" for c, p in zip(columns, shares, strict=True)},
            )
            for record, shares, place, possible, of_features, of_places in cells
        ] + broken  # fmt: skip

    def _density_cells(
        self, outputs: Float[Tensor, "n o"], predicted: Tensor
    ) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
        """The cells from ``log_density`` on: of the features, and of the places."""
        if self.densities is None:
            return [BLANK_DENSITY] * len(outputs), [BLANK_PLACES] * len(outputs)
        if self.densities.places is None:
            of_features = feature_cells(self.densities.pipeline, outputs.double(), predicted)
            return of_features, [BLANK_PLACES] * len(outputs)
        of_features = feature_cells(self.densities.pipeline, outputs[:, :-1].double(), predicted)
        return of_features, place_cells(self.densities.places, outputs[:, -1])


def feature_cells(
    pipeline: DensityPipeline, features: Float[Tensor, "n f"], predicted: Tensor
) -> list[tuple[str, str, str]]:
    """Log density of each image, that given its predicted class, and the verdict."""
    with torch.no_grad():
        density = pipeline.score_samples(features)
        of_class = pipeline.class_log_density(features, predicted)
    flags = pipeline.unfamiliar(features)
    return [
        (
            f"{density[i]:.6f}",
            "" if of_class is None else f"{of_class[i]:.6f}",
            str(int(flags[i])),
        )
        for i in range(len(features))
    ]


def place_cells(places: PlaceDensity, nats: Float[Tensor, " n"]) -> list[tuple[str, str]]:
    """Log density of the least known places of each image, and the verdict."""
    flags = places.threshold.flags(nats.double().numpy())
    return [(f"{x:.6f}", str(int(flag))) for x, flag in zip(nats.tolist(), flags, strict=True)]
