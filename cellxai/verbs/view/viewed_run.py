"""What a run says of an image that was dropped: class, set of classes, density, explanations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from cellxai.adapters.explained_images import Subject, read_outside_subjects
from cellxai.adapters.explained_score import ScoredRun, attach_score
from cellxai.data.readers.unlabelled import records_of_files
from cellxai.explain.base import Explainer, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.overlay import robust_limit, tint_by_sign
from cellxai.figures.planes import as_rgb
from cellxai.report.encoded_pictures import png
from cellxai.trained.image_stream import stream_outputs
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device
from cellxai.verbs.score.known_networks import scorer_of_run
from cellxai.verbs.score.scorer import Scorer

ERROR_RATE = 0.1  # of the sets of classes, as `score` has it
BATCH_SIZE = 32
KEY = ("", "")  # of a file that is scored once and kept nowhere


@dataclass(frozen=True)
class ViewedRun:
    """A run that answers.

    Args:
        name: What the page calls it.
        trained: The run.
        scorer: What ``score`` asks of it.
        scored: What is explained.
    """

    name: str
    trained: TrainedRun
    scorer: Scorer
    scored: ScoredRun

    def judge(self, path: Path) -> dict[str, Any]:
        """Class, set of classes and density of an image, as a row of ``scores.csv``.

        Raises:
            ValueError: If it cannot be read.
        """
        (record,) = records_of_files([path])
        (chunk,) = stream_outputs(
            [record], self.scorer.transforms, self.scorer.network, self.scorer.device
        )
        (row,) = self.scorer.rows(chunk, {record.id: KEY})
        if row.fault:
            raise ValueError(row.fault.removeprefix(f"image {record.id}: "))
        shares = [float(share) for share in row.probabilities.values()]
        return {
            "predicted": row.predicted,
            "probabilities": list(zip(self.trained.classes, shares, strict=True)),
            "possible": row.possible_classes,
            "no_sets": self.scorer.certainty.problem,
            "p": float(row.known_p) if row.known_p else None,
            "unfamiliar": row.unfamiliar == "1" if row.unfamiliar else None,
            "strange": f"{row.view} ({row.strange})" if row.strange else row.view,
            "no_density": "" if row.known_p else self.scorer.way_out,
        }

    def read(self, path: Path) -> Subject:
        """The image as the network sees it.

        Raises:
            ValueError: If it cannot be read.
        """
        subjects, _ = read_outside_subjects(self.trained, [path])
        return next(iter(subjects.values()))

    def picture(self, subject: Subject) -> Float[np.ndarray, "h w 3"]:
        """The image as it is looked at."""
        planes = self.trained.transforms.plane_names
        return as_rgb(subject.image[0].permute(1, 2, 0).cpu().numpy(), planes)

    def explain(
        self, subject: Subject, explainers: Mapping[str, Explainer]
    ) -> Iterator[dict[str, Any]]:
        """A map for each explainer, as soon as it is there; a failure is its reason."""
        context = context_of(subject.image, Slic(), BlurBaseline(), batch_size=BATCH_SIZE)
        target = torch.tensor([self.scored.column(subject.target)], device=subject.image.device)
        shown = self.picture(subject)
        for name, explainer in explainers.items():
            try:
                answer = attribute_with_cost(
                    explainer, self.scored.model, subject.image, target, context
                )
            except (ValueError, RuntimeError) as error:
                yield {"method": name, "status": "failed", "reason": str(error), "picture": ""}
                continue
            values = answer.values[0].detach().cpu().numpy()
            there = bool(np.isfinite(values).any())
            yield {
                "method": name,
                "status": answer.status,
                "reason": answer.reason,
                "seconds": round(answer.cost.seconds, 2),
                "picture": as_address(tint_by_sign(shown, values, robust_limit(values)))
                if there
                else "",
            }


def as_address(picture: Float[np.ndarray, "h w 3"]) -> str:
    """A picture in [0, 1] as a ``data:`` address."""
    return png((picture.clip(0, 1) * 255).round().astype(np.uint8))


def read_runs(paths: Sequence[Path], names: Sequence[str], device: Device) -> tuple[ViewedRun, ...]:
    """The runs with their networks, densities and sets of classes.

    Raises:
        FileNotFoundError: If a folder is no run.
    """
    runs = []
    for path, name in zip(paths, names, strict=True):
        trained = load_run(path, device)
        scorer = scorer_of_run(trained, ERROR_RATE, by_class=False)
        runs.append(ViewedRun(name, trained, scorer, attach_score(trained)))
    return tuple(runs)
