"""LIME by its author's package, behind the interface: what every other LIME is compared with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from lime import lime_image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cellxai.explain.base import Attribution, Context, Explainer, Model
from cellxai.explain.superpixels import painted

MIN_SAMPLES_PER_SUPERPIXEL = 10  # its author's advice: about 1000 samples for 100 superpixels


@dataclass(frozen=True)
class Surrogate:
    """The local linear model of one image.

    Args:
        coefficients: Change of the target logit when a superpixel is shown instead of hidden.
        r2: Share of the variance of the perturbed logits that it explains, weighted by locality.
    """

    coefficients: Float[Tensor, " s"]
    r2: float


class LimeReference(Explainer):
    """LIME (Ribeiro et al. 2016, arXiv:1602.04938) as the ``lime`` package computes it.

    The superpixels and the baseline are the context's, the score is the target logit; sampling,
    kernel, feature selection and ridge are the package's own code. Every baseline is served
    faithfully, since the package writes ``hide_color`` over the image by broadcasting.

    Args:
        n_samples: Perturbed images per explained image; ten per superpixel at least, or the
            attribution is marked *degraded*.
        n_features: Superpixels that keep a coefficient; with 6 or fewer the package selects them
            one by one, otherwise by largest weight. The others get 0.
        kernel_width: Of the exponential kernel on the cosine distance.
    """

    def __init__(
        self, n_samples: int = 1000, n_features: int = 100_000, kernel_width: float = 0.25
    ) -> None:
        if n_samples < 2:
            raise ValueError(f"n_samples={n_samples} fits no surrogate; pass n_samples>=2")
        self.n_samples = n_samples
        self.n_features = n_features
        self.kernel_width = kernel_width

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        batch = zip(images, targets.tolist(), context.superpixels, context.baseline, strict=True)
        surrogates = [
            self._surrogate(model, image, target, labels, fill, context)
            for image, target, labels, fill in batch
        ]
        coefficients = [one.coefficients.to(images) for one in surrogates]
        reason = self._reason_for_doubt(max(map(len, coefficients)))
        return Attribution(
            values=torch.stack(list(map(painted, coefficients, context.superpixels))),
            superpixel_values=pad_sequence(coefficients, True, torch.nan),
            surrogate_r2=images.new_tensor([one.r2 for one in surrogates]),
            status="degraded" if reason else "ok",
            reason=reason,
        )

    def _surrogate(
        self,
        model: Model,
        image: Float[Tensor, "c h w"],
        target: int,
        labels: Int[Tensor, "h w"],
        fill: Float[Tensor, "c h w"],
        context: Context,
    ) -> Surrogate:
        explainer = lime_image.LimeImageExplainer(self.kernel_width, random_state=context.seed)
        segments = labels.cpu().numpy()
        with _no_progress_bar():
            explanation = explainer.explain_instance(
                _channels_last(image),
                _logits_of(model, image),
                labels=(target,),
                hide_color=_channels_last(fill),
                top_labels=0,  # none but the target
                num_features=self.n_features,
                num_samples=self.n_samples,
                batch_size=context.batch_size,
                segmentation_fn=lambda _: segments,
            )
        coefficients = torch.zeros(int(segments.max()) + 1, dtype=torch.float64)
        for superpixel, coefficient in explanation.local_exp[target]:
            coefficients[int(superpixel)] = float(coefficient)
        return Surrogate(coefficients, float(explanation.score))  # pyright: ignore[reportAttributeAccessIssue]

    def _reason_for_doubt(self, n_superpixels: int) -> str:
        if self.n_samples >= MIN_SAMPLES_PER_SUPERPIXEL * n_superpixels:
            return ""
        return (
            f"{self.n_samples} samples for {n_superpixels} superpixels, LIME needs about "
            f"{MIN_SAMPLES_PER_SUPERPIXEL} each"
        )


def _channels_last(image: Float[Tensor, "c h w"]) -> Float[np.ndarray, "h w c"]:
    return image.detach().movedim(0, -1).cpu().numpy()


def _logits_of(
    model: Model, like: Float[Tensor, "c h w"]
) -> Callable[[Float[np.ndarray, "n h w c"]], Float[np.ndarray, "n k"]]:
    """The model as the package calls it: arrays with channels last in, arrays out."""

    @torch.no_grad()
    def logits(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n k"]:
        batch = torch.from_numpy(images).to(like).movedim(-1, 1).contiguous()
        return model(batch).double().cpu().numpy()

    return logits


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    # The package has no switch for its bar, and one bar per image would drown the caller's own.
    bar = lime_image.tqdm
    lime_image.tqdm = iter
    try:
        yield
    finally:
        lime_image.tqdm = bar
