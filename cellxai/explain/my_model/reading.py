"""How any torch model is read: what it is fed with, and which of its answers are the scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cellxai.explain.cost import frozen
from cellxai.explain.my_model.images import Bounds, PlaneValues, plane_values
from cellxai.explain.perturbation import is_out_of_memory
from cellxai.explain.score import ModelWrapper, Score, Scored, SigmoidLogOdds
from cellxai.files.identity import hash_content

OutputIs = Literal["logits", "labels", "probabilities"]
BROKEN_MODEL = (RuntimeError, ValueError, TypeError, IndexError, AssertionError)


class ModelError(ValueError):
    """The model does not fit the images, or how it is said to be read."""


class Probabilities(Score):
    """Probabilities that the model itself gives, as they are."""

    name = "probability"
    units = "share of 1"
    threshold = 0.5

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return outputs


class LabelProbabilities(Score):
    """Probabilities of labels that compete with none, as they are."""

    name = "probability of the label"
    units = "share of 1"
    independent = True
    threshold = 0.5

    def scores(self, outputs: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """See :meth:`Score.scores`."""
        return outputs


@dataclass(frozen=True)
class Reading:
    """How a model is fed and read; :func:`cellxai.explain.my_model.explaining.explain` says more.

    Args:
        output: Key, attribute or place of the scores in what the model answers.
        output_is: What the scores are.
        mean: Taken from each plane before the model sees it.
        std: What each plane is divided by then.
        bounds: Values that 0 and 1 become before the model sees them.
        preprocess: What is done instead to a batch in [0, 1], differentiable.
    """

    output: str | int | None = None
    output_is: str = "logits"
    mean: PlaneValues | None = None
    std: PlaneValues | None = None
    bounds: Bounds | None = None
    preprocess: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.output_is not in get_args(OutputIs):
            expected = ", ".join(get_args(OutputIs))
            raise ValueError(f"output_is={self.output_is!r}: expected one of {expected}")
        if (self.mean is None) != (self.std is None):
            given = "mean" if self.std is None else "std"
            raise ValueError(f"only {given} is given; pass mean and std together")
        ways = {"mean": self.mean, "bounds": self.bounds, "preprocess": self.preprocess}
        given = [name for name, way in ways.items() if way is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both say what the model sees; pass one")

    def words(self) -> str:
        """All of it as text, for a benchmark that must not mix two readings."""
        code = getattr(self.preprocess, "__code__", None)
        by_hand = "" if code is None else hash_content(code.co_code, repr(code.co_consts))
        name = getattr(self.preprocess, "__qualname__", repr(self.preprocess))
        values = [
            None if value is None else torch.as_tensor(value).tolist()
            for value in (self.mean, self.std, *(self.bounds or ()))
        ]
        return repr((self.output, self.output_is, values, name, by_hand))


class ReadModel(ModelWrapper):
    """A model that takes images in [0, 1] and answers with scores [b k], one column per class.

    A single column is about class 1 against class 0: it becomes two, (−z, z) of a logit and
    (1 − p, p) of a probability.

    Args:
        model: The user's, a module or any function.
        reading: How it is fed and read.

    Attributes:
        largest_target: Checked against the columns, once there is an answer.
        classes: Names that there have to be as many of as columns; None without names.
        columns: How many scores the model itself gave; 0 before it was asked.
    """

    def __init__(self, model: Callable[[Tensor], Any], reading: Reading) -> None:
        super().__init__(model)
        self.reading = reading
        self.largest_target = 0
        self.classes: Sequence[str] | None = None
        self.columns = 0
        parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None
        self._dtype = None if parameter is None else parameter.dtype
        self._settled: set[torch.Size] = set()  # shapes that the model has answered
        # Results are stored with a hash of the state: another reading is another model.
        self.register_buffer("words", torch.tensor(list(reading.words().encode())))

    @property
    def score(self) -> Score | None:
        """What the scores are, where they are not logits of classes that compete."""
        if self.reading.output_is == "probabilities":
            return LabelProbabilities() if self.columns == 1 else Probabilities()
        is_single = self.columns == 1 or self.reading.output_is == "labels"
        return SigmoidLogOdds() if is_single else None

    def judged(self, image: Float[Tensor, "c h w"]) -> "ReadModel | Scored":
        """The model as metrics take it, which ask what its scores are.

        Args:
            image: Is shown to a model that was not asked yet: how many columns has it?
        """
        if not self.columns:
            with torch.no_grad(), frozen(self):
                self(image[None].clone())
        return self if self.score is None else Scored(self, self.score)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """Scores of images in [0, 1].

        Raises:
            ModelError: If the model takes no such images, or does not answer with scores.
        """
        inputs = self.prepare(images)
        if inputs.shape[1:] in self._settled:
            return self._scores(self.model(inputs), len(images))
        try:
            answer = self.model(inputs)
        except BROKEN_MODEL as error:
            if is_foreign(error):
                raise
            raise ModelError(why_not(self.model, inputs, error)) from error
        scores = self._scores(answer, len(images))
        self._check(scores)
        self._settled.add(inputs.shape[1:])
        return scores

    def prepare(self, images: Float[Tensor, "b c h w"]) -> Tensor:
        """What the model sees of images in [0, 1]."""
        reading, n = self.reading, images.shape[1]
        inputs = images
        if reading.preprocess is not None:
            inputs = reading.preprocess(images)
        elif reading.bounds is not None:
            low, high = (plane_values(bound, n, images, "bounds") for bound in reading.bounds)
            inputs = images * (high - low) + low
        elif reading.mean is not None and reading.std is not None:
            mean = plane_values(reading.mean, n, images, "mean")
            inputs = (images - mean) / plane_values(reading.std, n, images, "std")
        return inputs if self._dtype is None else inputs.to(self._dtype)

    def _scores(self, answer: object, n_images: int) -> Float[Tensor, "b k"]:
        scores = chosen_output(answer, self.reading.output)
        if scores.ndim != 2:
            scores = as_rows(scores, n_images)
        self.columns = scores.shape[1]
        if self.columns > 1:
            return scores
        if self.reading.output_is == "probabilities":
            return torch.cat([1 - scores, scores], 1)
        return scores * scores.new_tensor([[-1.0, 1.0]])

    def _check(self, scores: Float[Tensor, "b k"]) -> None:
        k = scores.shape[1]
        if self.largest_target >= k:
            raise ModelError(
                f"target={self.largest_target} is none of the model's {k} classes; "
                f"pass a target from 0 to {k - 1}"
            )
        if self.classes is not None and len(self.classes) != k:
            raise ModelError(
                f"classes has {len(self.classes)} names and the model {k} classes; pass {k} names"
            )
        if self.reading.output_is == "probabilities" and not _are_shares(scores):
            low, high = float(scores.min()), float(scores.max())
            raise ModelError(
                f"output_is='probabilities', and the model answers from {low:.3g} to {high:.3g}; "
                "pass output_is='logits'"
            )


def chosen_output(answer: object, output: str | int | None) -> Tensor:
    """The scores among what a model answers.

    Raises:
        ModelError: If they are not where ``output`` says, or nothing says which they are.
    """
    scores: object = answer
    if output is not None and not (isinstance(answer, Tensor) and output == 0):
        try:
            inside: Any = answer
            if isinstance(output, int) or isinstance(answer, Mapping):
                scores = inside[output]
            else:
                scores = getattr(inside, output)
        except (KeyError, IndexError, AttributeError, TypeError):
            raise ModelError(
                f"output={output!r} is not in what the model answers, {contents(answer)}"
            ) from None
    if not isinstance(scores, Tensor):
        which = "" if output is None else f" at output={output!r}"
        raise ModelError(
            f"the model answers{which} with {contents(scores)}, expected a tensor of scores "
            "[b k]; pass output= with its key, attribute or place"
        )
    if not scores.is_floating_point():
        raise ModelError(
            f"the model answers with {scores.dtype}, expected floating-point scores; "
            "pass a model that gives them and not the class"
        )
    return scores


def contents(answer: object) -> str:
    """A model's answer in words."""
    kind = type(answer).__name__
    if isinstance(answer, Mapping):
        return f"a {kind} of {', '.join(repr(key) for key in answer)}"
    if isinstance(answer, tuple | list):
        names = getattr(answer, "_fields", None)
        return f"a {kind} of {', '.join(names)}" if names else f"a {kind} of {len(answer)}"
    return f"a {kind}"


def as_rows(scores: Tensor, n_images: int) -> Float[Tensor, "b k"]:
    """One row per image, of scores without columns or with rows and columns of 1.

    Raises:
        ModelError: If there are more numbers, as in a segmentation.
    """
    if scores.ndim == 1 and len(scores) == n_images:
        return scores[:, None]
    if scores.ndim > 2 and scores.shape[2:].numel() == 1:
        return scores.flatten(1)
    kind = " (a segmentation?)" if scores.ndim == 4 else ""
    raise ModelError(
        f"the model answers with shape {list(scores.shape)}{kind}, expected scores [b k]; pass a "
        "function that makes one number per class of it, such as lambda x: model(x).mean((2, 3))"
    )


def is_foreign(error: BaseException) -> bool:
    """Whether an error is not about how model and images fit: ours, or memory's."""
    is_ours = type(error).__module__.startswith("cellxai.")
    return is_ours or (isinstance(error, RuntimeError) and is_out_of_memory(error))


def why_not(model: object, inputs: Tensor, error: BaseException) -> str:
    """Why a model has taken no images of this shape, and what to do, in one line."""
    shape, text = list(inputs.shape[1:]), " ".join(str(error).split()) or type(error).__name__
    half = inputs.dtype in (torch.float16, torch.bfloat16)
    layers = model.modules() if isinstance(model, nn.Module) else ()
    wanted = next((layer.in_channels for layer in layers if isinstance(layer, nn.Conv2d)), None)
    if wanted is not None and wanted != inputs.shape[1]:
        advice = f"its first convolution takes {wanted} planes and the images have {shape[0]}"
    elif "not implemented for" in text or "mixed dtype" in text or "scalar type" in text:
        advice = "pass model.float()" if half else "pass a model of one type of numbers"
    else:
        advice = "if it takes one size alone, resize the images to that"
    return f"the model takes no images of shape {shape}: {advice} ({text[:200]})"


def _are_shares(scores: Tensor) -> bool:
    known = scores.detach()[scores.detach().isfinite()]
    return bool(((known >= -1e-4) & (known <= 1 + 1e-4)).all())
