"""What a run says of prepared images: rows of the table of scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.density.pipeline import DensityPipeline
from cellxai.density.places import PlaceDensity
from cellxai.trained.image_stream import Chunk
from cellxai.trained.layers import PENULTIMATE, LayerFeatures
from cellxai.trained.run import TrainedRun
from cellxai.verbs.score.table import ScoreRow

BLANK_PLACES = ("", "")


@dataclass(frozen=True)
class Scorer:
    """Everything that judges an image.

    Args:
        trained: The run, whose classifier names the class.
        pipeline: The density of the images' features.
        places: The density of places; ``None`` where the run has none.
    """

    trained: TrainedRun
    pipeline: DensityPipeline
    places: PlaceDensity | None

    def network(self) -> Callable[[Tensor], Tensor]:
        """Images to one row each, of everything that needs the network.

        These are the penultimate features, then those of the density's layer if that is another,
        then the log density of the least known places where there is a density of places.
        """
        networks: list[Callable[[Tensor], Tensor]] = [self.trained.classifier.features]
        if self.pipeline.settings.layer != PENULTIMATE:
            networks.append(LayerFeatures(self.trained.classifier, self.pipeline.settings.layer))
        if self.places is not None:
            networks.append(self.places)
        return lambda images: torch.cat([network(images) for network in networks], 1)

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
        outputs = chunk.outputs if self.places is None else chunk.outputs[:, :-1]
        n_penultimate = outputs.shape[1] - self.pipeline.fitted_.projection.n_features
        cells = zip(
            self._cells(
                outputs[:, :n_penultimate] if n_penultimate else outputs,
                outputs[:, n_penultimate:].double(),
            ),
            self._place_cells(chunk.outputs[:, -1]),
            strict=True,
        )
        return [
            ScoreRow(record.id, *keys[record.id], *of_features, *of_places)
            for record, (of_features, of_places) in zip(chunk.records, cells, strict=True)
        ] + broken

    def _cells(
        self, penultimate: Float[Tensor, "n p"], features: Float[Tensor, "n f"]
    ) -> list[tuple[str, str, str, str, str]]:
        """Class and density of each image: the cells from ``predicted`` to ``unfamiliar``."""
        with torch.no_grad():
            head = self.trained.classifier.head[-1]
            logits = head(penultimate.to(self.trained.device)).cpu()
            probabilities, predicted = logits.softmax(1).max(1)
            density = self.pipeline.score_samples(features)
            of_class = self.pipeline.class_log_density(features, predicted)
        flags = self.pipeline.unfamiliar(features)
        return [
            (
                self.trained.classes[int(predicted[i])],
                f"{probabilities[i]:.6f}",
                f"{density[i]:.6f}",
                "" if of_class is None else f"{of_class[i]:.6f}",
                str(int(flags[i])),
            )
            for i in range(len(features))
        ]

    def _place_cells(self, nats: Float[Tensor, " n"]) -> list[tuple[str, str]]:
        """Log density of the least known places of each image, and the verdict; else blanks."""
        if self.places is None:
            return [BLANK_PLACES] * len(nats)
        flags = self.places.threshold.flags(nats.double().numpy())
        return [(f"{x:.6f}", str(int(flag))) for x, flag in zip(nats.tolist(), flags, strict=True)]
