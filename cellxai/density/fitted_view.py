"""Views with what their densities have learned, and the surprise of the images that taught them.

No image is scored by a density that was fitted to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cellxai.density.densities import Density, FittedDensity
from cellxai.density.exchangeability import remembers
from cellxai.density.roles import split_folds
from cellxai.density.taught_rows import (
    IMAGES_AT_ONCE,
    MOST_ROWS,
    check_finite,
    draw_taught,
    hold_rows,
)
from cellxai.density.views import Places, View
from cellxai.density.views.places import smooth
from cellxai.trained.rows import RowSource


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

    rows: RowSource
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


def measure(
    view: View, density: FittedDensity, rows: Float[Tensor, "m ..."]
) -> Float[Tensor, " m"]:
    """Surprise of images in a view; some at a time, as places are many."""
    parts = []
    for chunk in rows.split(IMAGES_AT_ONCE):
        surprise = density.surprise(chunk.flatten(0, -2)).reshape(chunk.shape[:-1])
        parts.append(view.of_image(surprise))
    return torch.cat(parts) if parts else rows.new_empty(0, dtype=torch.float64)


def measure_by(
    densities: Mapping[str, tuple[FittedDensity, ...]],
    views: Mapping[str, View],
    rows: RowSource,
    number_of: Int[Tensor, " n"],
) -> dict[str, Float[Tensor, " n"]]:
    """Surprise of each image in every view, by one of the view's densities; some images at a time.

    Args:
        densities: Of each view.
        views: The views.
        rows: What they see of the images.
        number_of: Which density measures each image.

    Raises:
        ValueError: If a number that a view sees is not finite.
    """
    surprises = {name: torch.empty(len(rows), dtype=torch.float64) for name in densities}
    for number in number_of.unique().tolist():
        for images in (number_of == number).nonzero()[:, 0].split(IMAGES_AT_ONCE):
            seen = rows.of(images)
            check_finite(seen, images, densities)
            for name, of_view in densities.items():
                surprises[name][images] = measure(views[name], of_view[number], seen[name])
    return surprises


def fit_views(views: Mapping[str, View], known: KnownRows, seed: int) -> dict[str, FittedView]:
    """Learns views of known images, and what is usual in them.

    Densities are fitted to what :mod:`cellxai.density.taught_rows` holds. The surprise of every
    image is measured as the rows pass by, and no more of an image is kept.

    Raises:
        ValueError: If a row is not finite, or there are fewer than two images or folds.
    """
    n = len(known.rows)
    if n < 2:
        raise ValueError(f"{n} known image, expected at least two images")
    taught = draw_taught(known.rows, seed)
    held = hold_rows(known.rows, taught, views, seed)
    learned = {
        name: learn_view(view, held[name], known, taught, seed) for name, view in views.items()
    }
    of_folds = {name: fitted.of_folds for name, fitted in learned.items()}
    surprises = measure_by(of_folds, views, known.rows, known.folds)
    trained, units = known.trained.numpy(), known.units.numpy()
    forget, remember = {}, {}
    for name, fitted in learned.items():
        if remembers(surprises[name].numpy(), trained, units):
            own = taught[known.trained[taught]]
            rows = held[name][known.trained[taught]]
            remember[name] = learn_view(fitted.view, rows, known, own, seed)
        else:
            forget[name] = replace(fitted, surprises=surprises[name])
    fitted = forget | calibrate_on_held_out(remember, known)
    return {name: fitted[name] for name in views}


def learn_view(
    view: View,
    rows: Float[Tensor, "m ..."],
    known: KnownRows,
    images: Int[Tensor, " m"],
    seed: int,
) -> FittedView:
    """A view with densities of some images, all and those of all folds but one; no surprise yet.

    Raises:
        ValueError: If the images are of fewer than two folds.
    """
    folds, labels = known.folds[images], known.labels[images]
    split_folds(folds)
    whole = fit_images(view.density, rows, labels, seed)
    fewest = len(images) - int(folds.bincount().max())
    like = view.density.like(whole, fewest)
    if like is not view.density:
        whole = fit_images(like, rows, labels, seed)
    of_folds = []
    for fold in range(int(known.folds.max()) + 1):
        others = folds != fold
        of_fold = fit_images(like, rows[others], labels[others], seed)
        of_folds.append(of_fold if len(known.rows) <= len(rows) else of_fold.with_small_axes())
    return FittedView(view, whole, False, torch.empty(0, dtype=torch.float64), tuple(of_folds))


def calibrate_on_held_out(
    learned: Mapping[str, FittedView], known: KnownRows
) -> dict[str, FittedView]:
    """Views that the network remembers: held-out images are measured by all that it was taught."""
    if not learned:
        return {}
    n_folds = int(known.folds.max()) + 1
    densities = {name: (*fitted.of_folds, fitted.density) for name, fitted in learned.items()}
    views = {name: fitted.view for name, fitted in learned.items()}
    number_of = torch.where(known.trained, known.folds, n_folds)
    surprises = measure_by(densities, views, known.rows, number_of)
    return {
        name: FittedView(
            fitted.view, fitted.density, True, surprises[name], (fitted.density,) * n_folds
        )
        for name, fitted in learned.items()
    }


def fit_images(
    density: Density,
    rows: Float[Tensor, "m ..."],
    labels: Int[Tensor, " m"],
    seed: int,
) -> FittedDensity:
    """Fits a density to the rows of images; of many places as many of each image as it may take."""
    chosen = rows if rows.ndim > 2 else rows[:, None]
    chosen = chosen[:, : max(1, MOST_ROWS // len(rows))]
    of_row = labels.repeat_interleave(chosen.shape[1])
    return density.fit(chosen.flatten(0, 1), of_row, seed)
