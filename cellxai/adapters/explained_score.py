"""Which scalar of a run is explained: a logit, a probability, log-odds, density, or your own."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cellxai.adapters.familiarity import Familiarity, familiarity_of
from cellxai.explain.score import (
    Logit,
    LogOdds,
    Probability,
    Score,
    Scored,
    Sigmoid,
    SigmoidLogOdds,
)
from cellxai.trained.run import TrainedRun

ScoreName = Literal["logit", "probability", "log_odds", "sigmoid", "sigmoid_log_odds", "density"]
SCORES = {
    "logit": Logit,
    "probability": Probability,
    "log_odds": LogOdds,
    "sigmoid": Sigmoid,
    "sigmoid_log_odds": SigmoidLogOdds,
}


@dataclass(frozen=True)
class ScoredRun:
    """A run's network with the score that is explained.

    Args:
        model: Images to scores.
        score: What the scores are.
        of_classes: Whether there is one score per class, or a single one of the image.
    """

    model: Scored
    score: Score
    of_classes: bool

    @property
    def name(self) -> str:
        """What pictures call the score."""
        return self.score.name or type(self.score).__name__

    def column(self, target: int) -> int:
        """The score that is explained where that class is."""
        return target if self.of_classes else 0

    def explained(self, target: str) -> str:
        """What is explained where that class is, in words, with its units."""
        units = f" ({self.score.units})" if self.score.units else ""
        name = self.name.removesuffix(" of the label")
        return f"{name} of {target if self.of_classes else 'the image'}{units}"

    def view_of(self, image: Float[Tensor, "1 c h w"]) -> str:
        """The view of the density that an image surprises most; empty of other scores."""
        density = self.model.model
        return density.most_surprised(image)[0] if isinstance(density, Familiarity) else ""

    def probability(self, logits: Float[Tensor, " k"]) -> float:
        """Probability of the predicted class: its sigmoid where labels do not compete."""
        probabilities = logits.sigmoid() if self.score.independent else logits.softmax(-1)
        return float(probabilities.max())


def name_of(score: ScoreName | Score) -> str:
    """What files and options call a score: ``log_odds``, or the class of one of your own."""
    if isinstance(score, str):
        return score
    kind = type(score)
    return next(
        (name for name, score_class in SCORES.items() if score_class is kind), kind.__name__
    )


def attach_score(trained: TrainedRun, score: ScoreName | Score = "logit") -> ScoredRun:
    """A run's network with a score by its name, or one of your own.

    Raises:
        FileNotFoundError: If a density is asked for and the run has none.
        ValueError: If a score of your own has neither one column nor one per class.
    """
    if score == "density":
        familiarity, log_familiarity = familiarity_of(trained)
        return ScoredRun(Scored(familiarity, log_familiarity), log_familiarity, False)
    made = SCORES[score]() if isinstance(score, str) else score
    n_classes = len(trained.classes)
    n_columns = made.scores(torch.zeros(1, n_classes)).shape[1]
    if n_columns not in (1, n_classes):
        raise ValueError(
            f"score={type(made).__name__} gives {n_columns} columns, expected one, or one for "
            f"each of {n_classes} classes"
        )
    return ScoredRun(Scored(trained.classifier, made), made, n_columns == n_classes)
