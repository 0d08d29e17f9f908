"""A view with what its density has learned, and the surprise of the images that taught it.

No image is scored by a density that was fitted to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.density.densities import Density, FittedDensity
from cellxai.density.exchangeability import remembers
from cellxai.density.roles import split_folds
from cellxai.density.views import Places, View
from cellxai.density.views.places import smooth
from gmm.crossfitting import CrossFit, cross_fit

MOST_ROWS = 50_000  # of places that a density is fitted to, equally many of each image
IMAGES_AT_ONCE = 128
Rows = Mapping[str, Float[Tensor, "n ..."]]


@dataclass(frozen=True)
class KnownRows:
    """Known images that a pipeline learns from.

    Args:
        rows: What each view sees of each image.
        folds: Fold of each image, from 0; images of a group are in one fold.
        trained: Whether the network was trained on each image.
        labels: Classes of the images.
        units: The group of each image, or a number of its own.
    """

    rows: Rows
    folds: Int[Tensor, " n"]
    trained: Bool[Tensor, " n"]
    labels: Int[Tensor, " n"]
    units: Int[Tensor, " n"]


@dataclass(frozen=True)
class FittedView:
    """A view, its density, and the surprise of the images of the fit.

    Args:
        view: The view.
        density: Fitted to all images, or to those that the network was trained on if the network
            remembers these: then the others, which it does not remember, say what is usual.
        remembered: Whether the network remembers the images that it was trained on.
        surprises: Surprise of each image of the fit, by a density that was not fitted to it.
        of_folds: For each fold the density that was fitted to no image of it; not saved.
    """

    view: View
    density: FittedDensity
    remembered: bool
    surprises: Float[Tensor, " n"]
    of_folds: tuple[FittedDensity, ...] = ()

    def surprise(self, rows: Float[Tensor, "m ..."]) -> Float[Tensor, " m"]:
        """Surprise of images that were not fitted to; differentiable."""
        return measure(self.view, self.density, rows)

    def surprise_map(self, rows: Float[Tensor, "m h w f"]) -> Float[Tensor, "m h w"]:
        """Surprise of every place of images, smoothed as the view does."""
        assert isinstance(self.view, Places)
        nats = self.density.surprise(rows.flatten(0, 2)).reshape(rows.shape[:3])
        return smooth(nats, self.view.smoothing)

    def surprise_out_of_fold(
        self, rows: Float[Tensor, "m ..."], folds: Int[Tensor, " m"]
    ) -> Float[Tensor, " m"]:
        """Surprise of changed images of the fit, each by a density of the other folds."""
        surprises = torch.empty(len(rows), dtype=torch.float64)
        for fold, density in enumerate(self.of_folds):
            chosen = folds == fold
            surprises[chosen] = measure(self.view, density, rows[chosen])
        return surprises


def measure(
    view: View, density: FittedDensity, rows: Float[Tensor, "m ..."]
) -> Float[Tensor, " m"]:
    """Surprise of images in a view; some at a time, as places are many."""
    parts = []
    for chunk in rows.split(IMAGES_AT_ONCE):
        surprise = density.surprise(chunk.flatten(0, -2)).reshape(chunk.shape[:-1])
        parts.append(view.of_image(surprise))
    return torch.cat(parts) if parts else rows.new_empty(0, dtype=torch.float64)


def fit_view(name: str, view: View, known: KnownRows, seed: int) -> FittedView:
    """Learns a view of known images, and what is usual in it.

    Raises:
        ValueError: If a row is not finite or there are fewer than two images.
    """
    rows = known.rows[name]
    check_rows(name, rows)
    every = torch.arange(len(rows))
    whole = fit_images(view.density, rows, known.labels, every, seed)
    fewest = len(rows) - int(known.folds.bincount().max())
    like = view.density.like(whole, fewest)
    if like is not view.density:
        whole = fit_images(like, rows, known.labels, every, seed)
    crossed = cross_fit_view(view, like, known, rows, every, seed)
    trained = known.trained
    surprises = crossed.scores
    if not remembers(surprises.numpy(), trained.numpy(), known.units.numpy()):
        return FittedView(view, whole, False, surprises, crossed.models)
    chosen = trained.nonzero()[:, 0]
    density = fit_images(like, rows, known.labels, chosen, seed)
    surprises = measure(view, density, rows)
    surprises[chosen] = cross_fit_view(view, like, known, rows, chosen, seed).scores
    n_folds = int(known.folds.max()) + 1
    return FittedView(view, density, True, surprises, (density,) * n_folds)


def cross_fit_view(
    view: View,
    like: Density,
    known: KnownRows,
    rows: Float[Tensor, "n ..."],
    chosen: Int[Tensor, " m"],
    seed: int,
) -> CrossFit[FittedDensity]:
    """The surprise of each chosen image by a density of the chosen images of other folds."""
    return cross_fit(
        len(chosen),
        split_folds(known.folds[chosen]),
        fit=lambda seen: fit_images(like, rows, known.labels, chosen[seen], seed),
        score=lambda density, unseen: measure(view, density, rows[chosen[unseen]]),
    )


def fit_images(
    density: Density,
    rows: Float[Tensor, "n ..."],
    labels: Int[Tensor, " n"],
    images: Int[Tensor, " m"],
    seed: int,
) -> FittedDensity:
    """Fits a density to the rows of some images, drawn at random where there are many."""
    chosen = rows[images].flatten(1, -2) if rows.ndim > 2 else rows[images][:, None]
    n_rows = max(1, MOST_ROWS // len(images))
    if chosen.shape[1] > n_rows:
        generator = torch.Generator().manual_seed(seed)
        order = torch.rand(chosen.shape[:2], generator=generator).argsort(1)[:, :n_rows]
        chosen = chosen.gather(1, order[..., None].expand(-1, -1, chosen.shape[2]))
    of_row = labels[images].repeat_interleave(chosen.shape[1])
    return density.fit(chosen.flatten(0, 1), of_row, seed)


def check_rows(name: str, rows: Float[Tensor, "n ..."]) -> None:
    """Refuses rows from which nothing can be learned.

    Raises:
        ValueError: If there are fewer than two images, or a number is not finite.
    """
    if len(rows) < 2:
        raise ValueError(f"view {name!r} of {len(rows)} image, expected at least two images")
    broken = ~rows.isfinite().flatten(1).all(1)
    if broken.any():
        row = int(broken.nonzero()[0])
        raise ValueError(f"view {name!r} of image {row} is not finite; leave the image or view out")
