"""What a run or an export says of prepared images: rows of the table of scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.records import Source
from cellxai.density.pipeline import DensityPipeline
from cellxai.evaluation.class_calibration import ClassCalibration
from cellxai.evaluation.conformal import ConformalClassifier, name_sets
from cellxai.trained.image_stream import Chunk
from cellxai.verbs.score.table import ScoreRow, probability_columns

BLANK = ("", "", "", "", "", "")  # the cells of the density


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
        return name_sets(self.conformal.sets(logits), logits, names)


@dataclass(frozen=True)
class Scorer:
    """Everything that judges an image.

    Args:
        folder: That the network was read from.
        network: Images to a row each: the logits, then the surprise of every view where there is a
            density.
        classes: Names of the classes, in the order of the logits.
        transforms: What happens to an image before the network.
        device: Where the network computes.
        certainty: What is known of the probabilities.
        pipeline: Whether an image is known; ``None`` where there is no density to say it.
        way_out: How such a density is had.
        identity: What tells these scores from those of others.
        data: The data set that it was trained on; ``None`` where only whole images are known.
    """

    folder: Path
    network: Callable[[Tensor], Tensor]
    classes: tuple[str, ...]
    transforms: Transforms
    device: torch.device
    certainty: Certainty
    pipeline: DensityPipeline | None
    way_out: str
    identity: Mapping[str, str | None]
    data: Source | None = None

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
        logits, surprises = chunk.outputs[:, :n_classes], chunk.outputs[:, n_classes:]
        columns = probability_columns(self.classes)
        cells = zip(
            chunk.records,
            self.certainty.probabilities(logits).tolist(),
            logits.argmax(1).tolist(),
            self.certainty.possible_classes(logits, self.classes),
            self._density_cells(surprises),
            strict=True,
        )
        return [
            ScoreRow(
                record.id, *keys[record.id], self.classes[place], f"{shares[place]:.6f}", possible,
                *of_density,
                probabilities={c: f"{p:.6f}" for c, p in zip(columns, shares, strict=True)},
            )
            for record, shares, place, possible, of_density in cells
        ] + broken  # fmt: skip

    def _density_cells(
        self, surprises: Float[Tensor, "n v"]
    ) -> list[tuple[str, str, str, str, str, str]]:
        """The cells from ``known_p`` to ``strange``; a q-value is for the whole call to say."""
        if self.pipeline is None:
            return [BLANK] * len(surprises)
        verdicts = self.pipeline.calibration_.judge(surprises.double())
        views = list(self.pipeline.views.items())
        cells = []
        for i in range(len(surprises)):
            name, view = views[int(verdicts.most_surprised[i])]
            cells.append(
                (
                    f"{verdicts.p[i]:.6f}", "", f"{verdicts.evidence[i]:.6f}",
                    str(int(verdicts.flagged[i])), name, view.meaning,
                )
            )  # fmt: skip
        return cells
