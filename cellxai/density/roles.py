"""Who fits and says what is usual, and who is judged: no image does both in a round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

ROLES = ("fitted", "judged", "unfamiliar")
NO_IMAGES = torch.empty(0, dtype=torch.int64)
Indices = Int[Tensor, " _"]
Fit = TypeVar("Fit")


@dataclass(frozen=True)
class Roles:
    """The roles of known images in one round, as their indices.

    Args:
        fitted: Images that the views are fitted to, and that say what is usual: each is scored by
            densities of the other folds.
        folds: The fold of each fitted image, from 0; groups stay whole.
        trained: Whether the network was trained on each fitted image.
        judged: Images that do neither; they show what the threshold does to new images.
        compared: Known images that strangers are compared with: the judged ones, or, without any,
            fitted ones that the network was not trained on, each scored out of its fold.
    """

    fitted: Int[Tensor, " a"]
    folds: Int[Tensor, " a"]
    trained: Bool[Tensor, " a"]
    judged: Int[Tensor, " b"]
    compared: Int[Tensor, " c"]

    def __post_init__(self) -> None:
        used = torch.cat([self.fitted, self.judged])
        assert len(used.unique()) == len(used), "an image in two roles"

    @property
    def taught(self) -> Indices:
        """Images that the detectors beside the density are fitted to: none that is compared."""
        return self.fitted[~torch.isin(self.fitted, self.compared)]

    def places_among_fitted(self, indices: Indices) -> Indices:
        """Where images are among the fitted ones.

        Args:
            indices: Indices of fitted images.
        """
        place = torch.full((int(self.fitted.max()) + 1,), -1, dtype=torch.int64)
        place[self.fitted] = torch.arange(len(self.fitted))
        return place[indices]


@dataclass(frozen=True)
class Assignment:
    """The roles in every round, and in the fit that is kept.

    Args:
        rounds: Roles in each round; over all rounds an image is judged at most once.
        final: Roles in the fit that new images are scored by; with a single round, those of it.
    """

    rounds: tuple[Roles, ...]
    final: Roles


def assign_by_part(
    parts: Sequence[str], usable: Sequence[bool], unseen: bool, deal: Callable[[Indices], Indices]
) -> Assignment:
    """One round: training and validation images fit, and the test images are judged.

    Without validation images the test images fit too, and none is judged.

    Args:
        parts: The part of each image.
        usable: Whether each image takes part; images of a class that is left out do not.
        unseen: Whether the network was trained on none of the images.
        deal: Gives the fold of each of some images.

    Raises:
        ValueError: If every image was trained on, or a role has no image left.
    """
    held_out = [part for part in ("validation", "test") if part in parts]
    if not held_out:
        raise ValueError(
            f"all {len(parts)} images were trained on, so no threshold can be set; fit with "
            "--split.validation_share above 0, or pass --folds for features that were not trained"
        )
    of_part = {
        part: torch.tensor(
            [i for i, name in enumerate(parts) if name == part and usable[i]], dtype=torch.int64
        )
        for part in ("train", *held_out)
    }
    for part in ("train", held_out[0]):
        if not len(of_part[part]):
            raise ValueError(f"no image of part {part!r} is left; leave out another class")
    fitted = torch.cat([of_part["train"], of_part[held_out[0]]])
    trained = torch.arange(len(fitted)) < (0 if unseen else len(of_part["train"]))
    judged = of_part[held_out[1]] if len(held_out) > 1 else NO_IMAGES
    compared = judged if len(judged) else of_part[held_out[0]]
    roles = Roles(fitted, deal(fitted), trained, judged, compared)
    return Assignment((roles,), roles)


def assign_by_fold(folds: Int[Tensor, " n"], usable: Sequence[bool]) -> Assignment:
    """A round per fold, whose images are judged; the others fit and set the threshold in folds.

    The fit that is kept is that of all usable images, and their folds set its threshold.

    Args:
        folds: The fold of each image.
        usable: See :func:`assign_by_part`.
    """
    every = torch.arange(len(folds))[torch.tensor(usable)]
    rounds = []
    for fold in folds[every].unique():
        fitted, judged = every[folds[every] != fold], every[folds[every] == fold]
        rounds.append(fit_by_fold(folds, fitted, judged))
    return Assignment(tuple(rounds), fit_by_fold(folds, every, NO_IMAGES))


def fit_by_fold(folds: Int[Tensor, " n"], fitted: Indices, judged: Indices) -> Roles:
    """Roles in which some images fit in their folds and others are judged; none was trained on."""
    own = folds[fitted].unique(return_inverse=True)[1]
    return Roles(fitted, own, torch.zeros(len(fitted), dtype=torch.bool), judged, judged)


def fit_rounds(assignment: Assignment, fit: Callable[[Roles], Fit]) -> tuple[list[Fit], Fit]:
    """The fits of all rounds, and the final one; it is not repeated where it is one of them."""
    fits = [fit(roles) for roles in assignment.rounds]
    if assignment.final is assignment.rounds[0]:
        return fits, fits[0]
    return fits, fit(assignment.final)


def split_folds(folds: Int[Tensor, " n"]) -> list[Indices]:
    """The indices of the images of each fold.

    Raises:
        ValueError: If there are fewer than two folds.
    """
    parts = [(folds == fold).nonzero()[:, 0] for fold in folds.unique()]
    if len(parts) < 2:
        raise ValueError(f"{len(parts)} fold of {len(folds)} images, expected at least two")
    return parts
