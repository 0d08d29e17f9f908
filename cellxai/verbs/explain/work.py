"""What is done to every image, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.adapters.explained_images import Subject
from cellxai.adapters.explained_score import ScoredRun
from cellxai.adapters.feature_density import FeatureDensity, ImageDensity
from cellxai.explain.base import Attribution, Context, Explainer, context_of
from cellxai.explain.baselines import Baseline, off_data
from cellxai.explain.cost import measured
from cellxai.explain.superpixels.cache import CachedSuperpixels
from cellxai.explain.superpixels.instances import known_instances
from cellxai.trained.run import TrainedRun
from cellxai.verbs.explain.maps import Saved, settings_of, settings_of_image, tensors_of
from cellxai.verbs.explain.pictures import draw_pictures


@dataclass(frozen=True)
class Work:
    """What is done to every image.

    Args:
        trained: The run.
        scored: What is explained of it.
        explainers: By name.
        superpixels: What is hidden together.
        baseline: What replaces hidden pixels.
        seed: Of every random choice.
    """

    trained: TrainedRun
    scored: ScoredRun
    explainers: Mapping[str, Explainer]
    superpixels: CachedSuperpixels
    baseline: Baseline
    seed: int

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return self.trained.folder.explain

    def in_words(self) -> dict[str, Any]:
        """The head of ``index.json``."""
        return {
            "superpixels": type(self.superpixels.superpixels).__name__,
            "baseline": type(self.baseline).__name__,
            "score": {"name": self.scored.name, "units": self.scored.score.units},
            "seed": self.seed,
            "layout": layout(self.trained.classifier),
        }

    def settings_of(self, subject: Subject) -> str:
        """A digest of all that the maps of an image depend on."""
        return settings_of_image(
            self._settings, subject.image, self.scored.column(subject.target), subject.truth
        )

    def explain(self, subject: Subject, batch_size: int) -> Saved:
        """Every explainer's map of one image with its cost, and its pictures on disk."""
        image, column = subject.image, self.scored.column(subject.target)
        context = context_of(
            image, self.superpixels, self.baseline, self.seed, batch_size,
            known_instances(subject.truth),
        )  # fmt: skip
        target = torch.tensor([column], device=image.device)
        found = {
            name: measured(explainer, self.scored.model, image, target, context)
            for name, explainer in self.explainers.items()
        }
        entry = self.entry(subject, context, found)
        entry |= draw_pictures(self.folder, subject, context, found, entry)
        return Saved(entry, tensors_of(context, image, found))

    def entry(
        self, subject: Subject, context: Context, found: Mapping[str, Attribution]
    ) -> dict[str, Any]:
        """What ``index.json`` tells of an image, but for its pictures."""
        predicted = self.trained.classes[subject.target]
        return {
            "id": subject.record.id, "label": subject.record.label or None,
            "predicted": predicted, "probability": round(subject.probability, 4),
            "part": subject.part,
            "target": predicted if self.scored.of_classes else self.scored.name,
            "explained": self.scored.in_words(predicted),
            "baseline_off_data_nats": self.nats_off_data(subject.image, context.baseline),
            "explainers": {name: told(one) for name, one in found.items()},
        }  # fmt: skip

    def nats_off_data(
        self, image: Float[Tensor, "1 c h w"], baseline: Float[Tensor, "1 c h w"]
    ) -> float | None:
        """By how much the baseline is less likely than the image; None without a density."""
        density = self._log_density
        return None if density is None else round(float(off_data(image, baseline, density)), 3)

    @cached_property
    def _settings(self) -> str:
        parts = (self.superpixels.superpixels, self.baseline, self.scored.score)
        return settings_of(self.scored.model, self.explainers, *parts, seed=self.seed)

    @cached_property
    def _log_density(self) -> ImageDensity | None:
        try:
            return FeatureDensity(self.trained.folder.root).of_images(self.trained.classifier)
        except FileNotFoundError:
            return None


def told(one: Attribution) -> dict[str, Any]:
    """An explainer's row of ``index.json``."""
    r2 = None if one.surrogate_r2 is None else round(float(one.surrogate_r2[0]), 4)
    return {
        "status": one.status, "reason": one.reason, "forwards": one.cost.forwards,
        "backwards": one.cost.backwards, "seconds": round(one.cost.seconds, 3),
        "surrogate_r2": None if r2 is None or r2 != r2 else r2,
    }  # fmt: skip


def layout(network: nn.Module) -> str:
    """How the weights of a network's convolutions lie in memory."""
    strided = [one for one in network.parameters() if one.dim() == 4 and not one.is_contiguous()]
    return "channels last" if strided else "channels first"
