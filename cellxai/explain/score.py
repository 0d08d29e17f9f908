"""The scalar that is explained: a logit unless said, a probability, log-odds, a log-density.

Classes compete (softmax), unless the outputs are independent logits, one per label (sigmoid).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Score(ABC):
    """Turns what a model answers into the scores that are explained; differentiable.

    Subclass it in your own file, name it by ``class_path``. Column t of the scores is explained
    where the target is t; a score of one column is about the image, not about a class.

    Attributes:
        name: What a picture calls the score; by default the name of the class.
        units: Its unit, such as ``nats``; empty where it has none.
        of_one_model: Whether it means nothing for another model, as a density of features does.
        independent: Whether each column is of a label that competes with no other.
        threshold: Above it a label without competitors is predicted; None where nothing is.
    """

    name: ClassVar[str] = ""
    units: ClassVar[str] = ""
    of_one_model: ClassVar[bool] = False
    independent: ClassVar[bool] = False
    threshold: ClassVar[float | None] = None

    @abstractmethod
    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b t"]:
        """One column per class, or a single column, that can be explained.

        Args:
            outputs: What the model answers: logits, or features for a density.
        """


class Logit(Score):
    """The logits as they are: evidence before the classes compete."""

    name = "logit"
    units = "nats"
    threshold = 0.0

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return outputs


class Probability(Score):
    """Softmax of the logits: what ``lime`` explains; flat where the model is certain.

    The sigmoid where there is one logit.
    """

    name = "probability"
    units = "share of 1"
    threshold = 0.5

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return class_probabilities(outputs)


class Sigmoid(Score):
    """Sigmoid of each logit: the probability of a label, whatever other labels an image has."""

    name = "probability of the label"
    units = "share of 1"
    independent = True
    threshold = 0.5

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return outputs.sigmoid()


class SigmoidLogOdds(Score):
    """log p/(1 − p) of each label in nats, p its sigmoid: the logits as they are.

    Curves follow p, as they follow the softmax where a :class:`Logit` is explained.
    """

    name = "log-odds of the label"
    units = "nats"
    independent = True
    threshold = 0.0

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return outputs


class LogOdds(Score):
    """log p/(1 − p) of each class in nats: one class against all others, nowhere flat.

    One logit is its own log-odds.
    """

    name = "log-odds"
    units = "nats"
    threshold = 0.0

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        if outputs.shape[1] == 1:
            return outputs
        own = torch.eye(outputs.shape[1], dtype=torch.bool, device=outputs.device)
        others = outputs[:, None, :].masked_fill(own, -torch.inf)
        return outputs - others.logsumexp(2)


class LogDensity(Score):
    """A log-density of the model's answer, in nats; the only target is 0.

    Args:
        log_density: Gives one number per row, such as ``score_samples`` of a mixture over features.
            Must be differentiable for methods that need gradients.
    """

    name = "log-density"
    units = "nats"
    of_one_model = True

    def __init__(self, log_density: Callable[[Float[Tensor, "b k"]], Float[Tensor, " b"]]) -> None:
        self.log_density = log_density

    def __repr__(self) -> str:
        # Results are stored with it, and a function prints its address.
        return f"LogDensity({getattr(self.log_density, '__qualname__', self.log_density)})"

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b 1"]:
        """See :meth:`Score.scores`."""
        return self.log_density(outputs)[:, None]


def class_probabilities(logits: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
    """Softmax of several logits, sigmoid of a single one, which competes with nothing."""
    return logits.softmax(1) if logits.shape[1] > 1 else logits.sigmoid()


def followed_by_curves(score: Score, scores: Float[Tensor, "b t"]) -> Float[Tensor, "b t"]:
    """What a curve follows: logits as probabilities, every other score as it is."""
    if isinstance(score, Logit):
        return class_probabilities(scores)
    return scores.sigmoid() if isinstance(score, SigmoidLogOdds) else scores


def decisions(
    score: Score, scores: Float[Tensor, "b t"], targets: Int[Tensor, " b"]
) -> Int[Tensor, " b"]:
    """The predicted class; of labels that compete with none the target, or -1 where it fails.

    Raises:
        ValueError: If the score predicts nothing, as a density.
    """
    if scores.shape[1] > 1 and not score.independent:
        return scores.argmax(1)
    if score.threshold is None:
        raise ValueError(
            f"scores of shape {tuple(scores.shape)}: this metric asks whether the prediction "
            "stays, and a score of the image alone predicts none; leave it out"
        )
    holds = scores.gather(1, targets[:, None])[:, 0] > score.threshold
    return targets.masked_fill(~holds, -1)


class ModelWrapper(nn.Module, ABC):
    """A model and what is done with its answers.

    The layers of the model keep their names, so that Grad-CAM finds them.

    Args:
        model: What is wrapped; a module or any function.
    """

    def __init__(self, model: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.model = model
        # Not .train(), which would also change the modes of the layers inside.
        self.training = isinstance(model, nn.Module) and model.training

    def named_modules(
        self,
        memo: set[nn.Module] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, nn.Module]]:
        """This module, then the model and its layers under the names that the model gives them."""
        yield prefix, self
        if isinstance(self.model, nn.Module):
            yield from self.model.named_modules(memo, prefix, remove_duplicate)

    @abstractmethod
    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b ..."]:
        """What is made of the model's answer to the images."""


class Scored(ModelWrapper):
    """A model that answers with scores: every explainer takes it like the model itself.

    Args:
        model: Images to outputs; a module or any function.
        score: What turns the outputs into scores.
    """

    def __init__(self, model: Callable[[Tensor], Tensor], score: Score) -> None:
        super().__init__(model)
        self.score = score

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t"]:
        """Scores of the images."""
        return self.score.scores(self.model(images))
