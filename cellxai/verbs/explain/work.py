"""What is done to every image, and what the index says of it."""

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
from cellxai.adapters.familiarity import ImageDensity, image_density
from cellxai.explain.base import Attribution, Context, Explainer, context_of
from cellxai.explain.baselines import Baseline, nats_off_data
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.precision import Precision
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.instances import known_instances
from cellxai.figures.explanations.lime_mask import LimeMask
from cellxai.trained.run import TrainedRun
from cellxai.verbs.explain.pictures import Pictures, draw_pictures
from cellxai.verbs.explain.plane_evidence import plane_entry
from cellxai.verbs.explain.saved_maps import (
    SavedMaps,
    collect_tensors,
    hash_image_settings,
    hash_settings,
)


@dataclass(frozen=True)
class Work:
    """What is done to every image.

    Args:
        trained: The run.
        scored: What is explained of it.
        explainers: All explainers, by name.
        superpixels: What is hidden together.
        baseline: What replaces hidden pixels.
        seed: Seed of every random choice.
        mask: What the picture of LIME shows in its second panel; None for the three strongest.
        precision: With how many digits a CUDA device multiplies float32 numbers.
    """

    trained: TrainedRun
    scored: ScoredRun
    explainers: Mapping[str, Explainer]
    superpixels: CachedSuperpixels
    baseline: Baseline
    seed: int
    mask: LimeMask | None = None
    precision: Precision = "exact"

    @property
    def folder(self) -> Path:
        """Where maps, pictures and index are written."""
        return self.trained.folder.explain

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes of every image; none of grey and of RGB."""
        return self.trained.transforms.plane_names

    def head(self) -> dict[str, Any]:
        """The head of ``index.json``."""
        return {
            "superpixels": type(self.superpixels.superpixels).__name__,
            "baseline": type(self.baseline).__name__,
            "score": {"name": self.scored.name, "units": self.scored.score.units},
            "seed": self.seed,
            "layout": memory_layout(self.trained.classifier),
            "precision": self.precision,
        }

    def settings_hash(self, subject: Subject) -> str:
        """A hash of all that the maps of an image depend on."""
        return hash_image_settings(
            self._settings_hash, subject.image, self.scored.column(subject.target), subject.truth
        )

    def explain(self, subject: Subject, batch_size: int) -> SavedMaps:
        """Every explainer's map of one image with its cost, and its pictures on disk."""
        image, column = subject.image, self.scored.column(subject.target)
        context = context_of(
            image, self.superpixels, self.baseline, self.seed, batch_size,
            known_instances(subject.truth), self.precision,
        )  # fmt: skip
        target = torch.tensor([column], device=image.device)
        attributions = {
            name: attribute_with_cost(explainer, self.scored.model, image, target, context)
            for name, explainer in self.explainers.items()
        }
        entry = self.entry(subject, context, attributions)
        if self.planes:
            for name, explainer in self.explainers.items():
                found = plane_entry(explainer, attributions[name], context.superpixels)
                entry["explainers"][name] |= found
        meanings = {name: explainer.meaning for name, explainer in self.explainers.items()}
        pictures = Pictures(
            self.folder, subject, context, attributions, meanings, self.mask, self.planes
        )
        entry |= draw_pictures(pictures, entry)
        tensors = collect_tensors(context, image, attributions, bool(self.planes))
        return SavedMaps(entry, tensors)

    def entry(
        self, subject: Subject, context: Context, attributions: Mapping[str, Attribution]
    ) -> dict[str, Any]:
        """What ``index.json`` says of an image, except for its pictures."""
        target = self.trained.classes[subject.target]
        return {
            "id": subject.name, "label": subject.record.label or None,
            "predicted": self.trained.classes[subject.predicted],
            "probability": round(self.scored.probability(subject.logits), 4),
            "part": subject.part, "rank": subject.rank,
            "target": target if self.scored.of_classes else self.scored.name,
            "explained": self.scored.explained(target),
            "view": self.scored.view_of(subject.image),
            "baseline_off_data_nats": self.nats_off_data(subject.image, context.baseline),
            **({"plane_names": list(self.planes)} if self.planes else {}),
            "explainers": {
                name: index_row(attribution) for name, attribution in attributions.items()
            },
        }  # fmt: skip

    def nats_off_data(
        self, image: Float[Tensor, "1 c h w"], baseline: Float[Tensor, "1 c h w"]
    ) -> float | None:
        """By how much the baseline is less likely than the image; None without a density."""
        density = self._log_density
        return None if density is None else round(float(nats_off_data(image, baseline, density)), 3)

    @cached_property
    def _settings_hash(self) -> str:
        parts: tuple[object, ...] = (
            self.superpixels.superpixels, self.baseline, self.scored.score
        )  # fmt: skip
        if self.mask is not None:  # its picture is drawn with the maps
            parts = (*parts, self.mask)
        settings = hash_settings(self.scored.model, self.explainers, *parts, seed=self.seed)
        return settings if self.precision == "exact" else f"{settings} {self.precision}"

    @cached_property
    def _log_density(self) -> ImageDensity | None:
        try:
            return image_density(self.trained.folder.root, self.trained.classifier)
        except FileNotFoundError:
            return None


def index_row(attribution: Attribution) -> dict[str, Any]:
    """An explainer's row of ``index.json``."""
    fit, cost = attribution.surrogate_r2, attribution.cost
    r2 = None if fit is None else round(float(fit[0]), 4)
    return {
        "status": attribution.status, "reason": attribution.reason, "forwards": cost.forwards,
        "backwards": cost.backwards, "seconds": round(cost.seconds, 3),
        "surrogate_r2": None if r2 is None or r2 != r2 else r2,
    }  # fmt: skip


def memory_layout(network: nn.Module) -> str:
    """How the weights of a network's convolutions lie in memory."""
    kernels = [weight for weight in network.parameters() if weight.dim() == 4]
    strided = [kernel for kernel in kernels if not kernel.is_contiguous()]
    return "channels last" if strided else "channels first"
