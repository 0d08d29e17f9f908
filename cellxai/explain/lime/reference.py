"""LIME by its author's package, behind the interface: what every other LIME is compared with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from lime import lime_image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Context, Model
from cellxai.explain.by_plane import SuperpixelExplainer
from cellxai.explain.lime.designs import SAMPLES_PER_SUPERPIXEL
from cellxai.explain.lime.doubts import (
    doubt_of_few_samples,
    doubt_of_one_superpixel,
    doubts_of_scores,
)
from cellxai.explain.status import Doubt
from cellxai.explain.superpixels.base import paint_each
from cellxai.explain.verdict import with_doubts


@dataclass(frozen=True)
class PackageSurrogate:
    """The local linear model of one image.

    Args:
        coefficients: Change of the target's score when a superpixel is shown instead of hidden.
        r2: Share of the variance of the perturbed scores that it explains, weighted by locality.
        scores: The target's score of all perturbed images.
    """

    coefficients: Float[Tensor, " s"]
    r2: float
    scores: Float[Tensor, " n"]


class LimeReference(SuperpixelExplainer):
    """LIME (Ribeiro et al. 2016, arXiv:1602.04938) as the ``lime`` package computes it.

    The superpixels and the baseline are the context's, the score is the target's; sampling,
    kernel, feature selection and ridge are the package's own code. Every baseline is served
    faithfully, since the package writes ``hide_color`` over the image by broadcasting.

    Args:
        n_samples: Perturbed images per explained image; ten per superpixel at least, or the
            attribution is marked *degraded*.
        n_features: Superpixels that keep a coefficient; with 6 or fewer the package selects them
            one by one, otherwise by largest weight. The others get 0.
        kernel_width: Width of the exponential kernel on the cosine distance.
        by_plane: Whether each superpixel has a coefficient in each plane, which counts as one
            superpixel: players are superpixel × plane.
    """

    def __init__(
        self,
        n_samples: int = 1000,
        n_features: int = 100_000,
        kernel_width: float = 0.25,
        by_plane: bool = False,
    ) -> None:
        if n_samples < 2:
            raise ValueError(f"n_samples={n_samples} fits no surrogate; pass n_samples>=2")
        self.n_samples = n_samples
        self.n_features = n_features
        self.kernel_width = kernel_width
        self.by_plane = by_plane

    def attribute_superpixels(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`SuperpixelExplainer.attribute_superpixels`."""
        batch = zip(images, targets.tolist(), context.superpixels, context.baseline, strict=True)
        surrogates = [
            self._surrogate(model, image, target, labels, fill, context)
            for image, target, labels, fill in batch
        ]
        coefficients = [surrogate.coefficients.to(images) for surrogate in surrogates]
        attribution = Attribution(
            values=paint_each(coefficients, context.superpixels),
            superpixel_values=pad_sequence(coefficients, True, torch.nan),
            surrogate_r2=images.new_tensor([surrogate.r2 for surrogate in surrogates]),
        )
        return with_doubts(attribution, self._doubts(surrogates))

    def _surrogate(
        self,
        model: Model,
        image: Float[Tensor, "c h w"],
        target: int,
        labels: Int[Tensor, "h w"],
        fill: Float[Tensor, "c h w"],
        context: Context,
    ) -> PackageSurrogate:
        explainer = lime_image.LimeImageExplainer(self.kernel_width, random_state=context.seed)
        segments = labels.cpu().numpy()
        answers: list[Float[np.ndarray, "n k"]] = []
        with _no_progress_bar():
            explanation = explainer.explain_instance(
                _channels_last(image),
                _scores_of(model, image, answers),
                labels=(target,),
                hide_color=_channels_last(fill),
                top_labels=0,  # none but the target
                num_features=self.n_features,
                num_samples=self.n_samples,
                batch_size=context.batch_size,
                segmentation_fn=lambda _: segments,
            )
        scores = torch.from_numpy(np.concatenate(answers)[:, target])
        coefficients = torch.zeros(int(segments.max()) + 1, dtype=torch.float64)
        for superpixel, coefficient in explanation.local_exp[target]:
            coefficients[int(superpixel)] = float(coefficient)
        if not scores.isfinite().all():
            return PackageSurrogate(coefficients.fill_(torch.nan), float("nan"), scores)
        r2 = float(explanation.score)  # pyright: ignore[reportAttributeAccessIssue]
        return PackageSurrogate(coefficients, r2, scores)

    def _doubts(self, surrogates: Sequence[PackageSurrogate]) -> tuple[Doubt, ...]:
        counts = [len(surrogate.coefficients) for surrogate in surrogates]
        scores = torch.stack([surrogate.scores for surrogate in surrogates])[..., None]
        doubts = (
            *doubts_of_scores(scores),
            doubt_of_one_superpixel(torch.tensor(counts) == 1),
            doubt_of_few_samples(self.n_samples, max(counts), SAMPLES_PER_SUPERPIXEL),
        )
        return tuple(doubt for doubt in doubts if doubt is not None)


def _channels_last(image: Float[Tensor, "c h w"]) -> Float[np.ndarray, "h w c"]:
    # NumPy has no bfloat16; the model gets its own type again.
    of_numpy = image.float() if image.dtype == torch.bfloat16 else image
    return of_numpy.detach().movedim(0, -1).cpu().numpy()


def _scores_of(
    model: Model, like: Float[Tensor, "c h w"], answers: list[Float[np.ndarray, "n k"]]
) -> Callable[[Float[np.ndarray, "n h w c"]], Float[np.ndarray, "n k"]]:
    """The model as the package calls it: arrays with channels last in, arrays out.

    All answers are added to ``answers``. The package gets finite numbers: it would crash on others.
    """

    @torch.no_grad()
    def scores(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
        batch = torch.from_numpy(images).to(like).movedim(-1, 1).contiguous()
        answers.append(model(batch).double().cpu().numpy())
        return np.nan_to_num(answers[-1], posinf=0, neginf=0)

    return scores


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    # The package has no switch for its bar, and one bar per image would hide the caller's own.
    bar = lime_image.tqdm
    lime_image.tqdm = iter
    try:
        yield
    finally:
        lime_image.tqdm = bar
