"""Which superpixels may have a coefficient: the five ways of the ``lime`` package."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from sklearn.linear_model import lars_path_gram
from torch import Tensor

from cellxai.explain.lime.surrogate import Moments, ridge_coefficients

FeatureSelection = Literal["auto", "forward_selection", "highest_weights", "lasso_path", "none"]

FEW = 6  # up to so many, "auto" selects one by one; more of them by weight
SELECTION_RIDGE = 0.01  # penalty of the package's ridge that ranks weights
COLLINEAR = 1e-10  # share of a superpixel's variance that others leave: with less it adds nothing


def select(
    moments: Moments, exists: Bool[Tensor, "b s"], n_features: int, method: FeatureSelection
) -> Bool[Tensor, "b t s"]:
    """The superpixels that each class's surrogate may use.

    Args:
        moments: Moments of masks and scores.
        exists: Which superpixels an image has; the rest is padding.
        n_features: How many to select at most; "none" keeps all.
        method: As in ``lime``: "auto" is forward selection up to 6 features, else highest weights.
    """
    allowed = exists[:, None].expand_as(moments.cross)
    if method == "auto":
        method = "forward_selection" if n_features <= FEW else "highest_weights"
    if method == "none" or (n_features >= exists.shape[1] and method != "lasso_path"):
        return allowed.clone()
    return SELECTIONS[method](moments, allowed, n_features)


def forward_selection(
    moments: Moments, allowed: Bool[Tensor, "b t s"], n_features: int
) -> Bool[Tensor, "b t s"]:
    """Adds the superpixel that raises the weighted R² most, one after the other.

    Least squares without penalty. The chosen ones are swept out of the moments (a Schur
    complement), so that one division tells what each of the others would add.
    """
    selected = torch.zeros_like(allowed)
    left = moments.shown[:, None].expand(*moments.cross.shape, -1)
    cross, variance = moments.cross, moments.shown.diagonal(dim1=-2, dim2=-1)[:, None]
    for _ in range(n_features):
        own = left.diagonal(dim1=-2, dim2=-1)
        precision = torch.where(own > COLLINEAR * variance, 1 / own, 0)
        gain = (cross.square() * precision).masked_fill(selected | ~allowed, -torch.inf)
        best = gain.argmax(-1, keepdim=True)
        # An image with fewer superpixels than others may have none left to add.
        selected = selected | selected.scatter(-1, best, gain.gather(-1, best).isfinite())
        column = left.gather(-1, best[..., None].expand_as(left[..., :1]))[..., 0]
        share = column * precision.gather(-1, best)
        left = left - share[..., None] * column[..., None, :]
        cross = cross - share * cross.gather(-1, best)
    return selected


def highest_weights(
    moments: Moments, allowed: Bool[Tensor, "b t s"], n_features: int
) -> Bool[Tensor, "b t s"]:
    """Those of largest absolute coefficient in a ridge on all; of equals, the first."""
    size = ridge_coefficients(moments, allowed, SELECTION_RIDGE).abs()
    order = size.masked_fill(~allowed, -1).sort(dim=-1, descending=True, stable=True).indices
    selected = torch.zeros_like(allowed)
    return selected.scatter(-1, order[..., :n_features], True) & allowed


def lasso_path(
    moments: Moments, allowed: Bool[Tensor, "b t s"], n_features: int
) -> Bool[Tensor, "b t s"]:
    """Those with a coefficient where the lasso's path last has at most ``n_features``."""
    selected = torch.zeros_like(allowed)
    for b, t in torch.cartesian_prod(*map(torch.arange, allowed.shape[:2])).tolist():
        own = allowed[b, t].nonzero()[:, 0]
        gram, cross = moments.shown[b][own][:, own].cpu(), moments.cross[b, t, own].cpu()
        selected[b, t, own[_on_path(gram, cross, n_features)]] = True
    return selected


def _on_path(
    gram: Float[Tensor, "s s"], cross: Float[Tensor, " s"], n_features: int
) -> Bool[Tensor, " s"]:
    # With the moments, the path needs neither masks nor scores. The number of samples only scales
    # the penalty, and no choice depends on that scale.
    path = lars_path_gram(cross.numpy(), gram.numpy(), n_samples=1, method="lasso")[2]
    used = torch.from_numpy(path != 0)
    if used.shape[1] == 1:  # scores that do not vary have no path: the package then keeps all
        return torch.ones_like(used[:, 0])
    fitting = [i for i in range(1, used.shape[1]) if used[:, i].sum() <= n_features]
    return used[:, max(fitting, default=1)]


SELECTIONS: dict[str, Callable[..., Bool[Tensor, "b t s"]]] = {
    "forward_selection": forward_selection,
    "highest_weights": highest_weights,
    "lasso_path": lasso_path,
}
