"""Whether models and explainers answer with what is expected of them: checked once, at the edge."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.explain.base import Attribution, Explainer

ROUNDING_OF_HALVES = 16  # activations lose more on their way, and few bits are left
ROUNDING = 4  # times the precision of a score: networks round at every layer


class ScoreWatch:
    """Counts what goes through a model, and looks at its scores.

    Args:
        targets: The explained columns.

    Attributes:
        forwards: Images through the model.
        backwards: Images whose gradient came back.
        largest_batch: Images in the largest forward pass.
        dtype: Type of the first scores.
    """

    def __init__(self, targets: Int[Tensor, " b"]) -> None:
        self.forwards = 0
        self.backwards = 0
        self.largest_batch = 0
        self.dtype = ""
        self._precision: float | None = None
        self._targets = targets.unique()
        # Asked once: each batch would wait for the answer.
        self._last_target = int(self._targets.max()) if len(targets) else -1
        self._largest = torch.zeros(())
        self._all_known = torch.ones((), dtype=torch.bool)

    def note(self, scores: object) -> None:
        """Looks at what a model has answered.

        Raises:
            TypeError: If it is no tensor.
            ValueError: If it has no columns, or no column of a target.
        """
        scores = check_scores(scores, self._last_target)
        self.forwards += len(scores)
        self.largest_batch = max(self.largest_batch, len(scores))
        self.dtype = self.dtype or str(scores.dtype).removeprefix("torch.")
        if self._precision is None and scores.is_floating_point():
            self._precision = torch.finfo(scores.dtype).eps
        if scores.requires_grad:
            scores.register_hook(self._count_backward)
        # Kept on the device: to ask for a number would wait for it.
        explained = scores.detach()[:, self._targets.to(scores.device)]
        largest = explained.abs().amax().float() if explained.numel() else torch.zeros(())
        self._largest = torch.maximum(self._largest.to(largest), largest)
        known = explained.isfinite().all()
        self._all_known = self._all_known.to(known.device) & known

    @property
    def saw_unknown_scores(self) -> bool:
        """Whether some score of a target was no finite number."""
        return not bool(self._all_known)

    @property
    def rounding(self) -> float:
        """By how much the scores of the targets may be wrong.

        In half precision that is a hundredth of the score. Evidence that came back as a gradient
        is no difference of two scores, and does not lose so much.
        """
        eps = torch.finfo(torch.float32).eps
        if self._precision is not None and not self.backwards:
            steps = ROUNDING_OF_HALVES if self._precision > eps else ROUNDING
            return steps * max(eps, self._precision) * self._largest_number
        return ROUNDING * eps * self._largest_number

    @property
    def _largest_number(self) -> float:
        return float(self._largest.nan_to_num(0.0, 0.0))

    def _count_backward(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


def check_targets(targets: Int[Tensor, " b"]) -> None:
    """Refuses classes before the first.

    Raises:
        ValueError: If there is one.
    """
    if (targets < 0).any():
        raise ValueError(
            f"targets={targets.tolist()}: a target is a column of the scores, counted from 0; "
            "pass targets>=0"
        )


def check_scores(scores: object, last_target: int) -> Tensor:
    """The scores, if they have a row per image and a column per target.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If they have another shape.
    """
    if not isinstance(scores, Tensor):
        raise TypeError(
            f"the model answers with a {type(scores).__name__}, and explainers need one tensor of "
            "scores [b k]; pass a function or module that returns it alone"
        )
    if scores.dim() != 2:
        raise ValueError(
            f"the model answers with shape {list(scores.shape)}, and explainers need scores [b k]; "
            "pass a function or module that returns one row per image"
        )
    if last_target >= scores.shape[1]:
        raise ValueError(
            f"target {last_target} is no column of the {scores.shape[1]} scores; "
            f"pass targets from 0 to {scores.shape[1] - 1}"
        )
    return scores


PER_IMAGE = {  # axes after the image's
    "superpixel_values": "s", "surrogate_r2": "", "ranking_stability": "", "completeness_gap": "",
    "superpixel_covariance": "ss", "relative_error": "", "superpixel_pairs": "ss",
}  # fmt: skip


def check_answer(
    explainer: Explainer, answer: object, images: Float[Tensor, "b c h w"]
) -> Attribution:
    """What an explainer has answered, if there is a map for each image.

    Raises:
        TypeError: If it is no attribution of floating-point numbers.
        ValueError: If it has another shape.
    """
    name = type(explainer).__name__
    if not isinstance(answer, Attribution) or not isinstance(answer.values, Tensor):
        got = type(answer.values if isinstance(answer, Attribution) else answer).__name__
        raise TypeError(f"{name} returned {got}, expected an Attribution with a tensor of values")
    if not answer.values.is_floating_point():
        raise TypeError(f"{name} returned values of {answer.values.dtype}, expected floating point")
    b, _, h, w = images.shape
    if answer.values.shape != (b, h, w):
        raise ValueError(
            f"{name} returned values of shape {list(answer.values.shape)}, expected [b h w] = "
            f"{[b, h, w]}, one signed number per pixel of each image"
        )
    if answer.plane_values is not None and answer.plane_values.shape != images.shape:
        raise ValueError(
            f"{name} returned plane_values of shape {list(answer.plane_values.shape)}, expected "
            f"{list(images.shape)}, one number per plane and pixel of each image"
        )
    for part, axes in PER_IMAGE.items():
        numbers = getattr(answer, part)
        if numbers is not None and (numbers.dim() != 1 + len(axes) or len(numbers) != b):
            expected = f"[{' '.join([str(b), *axes])}]"
            raise ValueError(
                f"{name} returned {part} of shape {list(numbers.shape)}, expected {expected}"
            )
    return answer
