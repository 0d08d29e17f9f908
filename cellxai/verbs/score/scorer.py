"""What a run says of prepared images: rows of the table of scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.density.pipeline import DensityPipeline
from cellxai.density.views.looking import layers_of, look, rows_of
from cellxai.trained.image_stream import Chunk
from cellxai.trained.run import TrainedRun
from cellxai.verbs.score.table import ScoreRow


@dataclass(frozen=True)
class Scorer:
    """Everything that judges an image.

    Args:
        trained: The run, whose classifier names the class.
        pipeline: Whether it knows such images.
    """

    trained: TrainedRun
    pipeline: DensityPipeline

    def network(self) -> Callable[[Tensor], Tensor]:
        """Images to one row each: the logits, then the surprise of every view."""
        views, classifier = self.pipeline.views, self.trained.classifier
        layers = layers_of(views.values())

        def ask(images: Tensor) -> Tensor:
            seen = look(classifier, layers, images)
            assert seen.logits is not None
            surprises = self.pipeline.surprises(rows_of(views, seen))
            return torch.cat([seen.logits.double().cpu(), surprises], 1)

        return ask

    def rows(self, chunk: Chunk, keys: Mapping[str, tuple[str, str]]) -> list[ScoreRow]:
        """The rows of a chunk of images, broken ones last.

        Args:
            chunk: The images with what :meth:`network` answered.
            keys: File and time of change of each image, by its id.
        """
        broken = [
            ScoreRow(name, *keys[name], fault=str(fault)) for name, fault in chunk.broken.items()
        ]
        if not chunk.records:
            return broken
        n_views = len(self.pipeline.views)
        cells = self._cells(chunk.outputs[:, :-n_views], chunk.outputs[:, -n_views:])
        return [
            ScoreRow(record.id, *keys[record.id], *of_image)
            for record, of_image in zip(chunk.records, cells, strict=True)
        ] + broken

    def _cells(
        self, logits: Float[Tensor, "n k"], surprises: Float[Tensor, "n v"]
    ) -> list[tuple[str, str, str, str, str, str]]:
        """Class and verdict of each image: the cells from ``predicted`` to ``view``."""
        probabilities, predicted = logits.softmax(1).max(1)
        verdicts, names = self.pipeline.calibration_.judge(surprises), list(self.pipeline.views)
        return [
            (
                self.trained.classes[int(predicted[i])],
                f"{probabilities[i]:.6f}",
                f"{verdicts.p[i]:.6f}",
                f"{verdicts.evidence[i]:.6f}",
                str(int(verdicts.flagged[i])),
                names[int(verdicts.most_surprised[i])],
            )
            for i in range(len(logits))
        ]
