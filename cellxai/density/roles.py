"""Who fits, who sets the threshold, who is judged: no image has two of these roles in a round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

ROLES = ("fitted", "calibrating", "judged", "unfamiliar")
NO_IMAGES = torch.empty(0, dtype=torch.int64)
Indices = Int[Tensor, " _"]
Fit = TypeVar("Fit")


@dataclass(frozen=True)
class Roles:
    """The roles of known images in one round, as their indices; no index is in two roles.

    Args:
        fitted: Images that the density and the detectors are fitted to.
        calibrating: Images that set the threshold; none where folds of the fitted ones set it.
        judged: Images that do neither; they show what the threshold does to new images.
        folds: The fold of each fitted image where these set the threshold, too; otherwise empty.
    """

    fitted: Int[Tensor, " a"]
    calibrating: Int[Tensor, " b"]
    judged: Int[Tensor, " c"]
    folds: Int[Tensor, " d"]

    def __post_init__(self) -> None:
        used = torch.cat([self.fitted, self.calibrating, self.judged])
        assert len(used.unique()) == len(used), "an image in two roles"
        assert bool(len(self.calibrating)) != bool(len(self.folds)), "one source of a threshold"

    @property
    def unfitted(self) -> Indices:
        """Images that strangers are compared with: judged ones, else those of the threshold."""
        return self.judged if len(self.judged) else self.calibrating


@dataclass(frozen=True)
class Assignment:
    """The roles in every round, and in the fit that is kept.

    Args:
        rounds: Roles in each round; over all rounds an image is judged at most once.
        final: Roles in the fit that new images are scored by; with a single round, those of it.
    """

    rounds: tuple[Roles, ...]
    final: Roles


def assign_by_part(parts: Sequence[str], usable: Sequence[bool]) -> Assignment:
    """One round: training images fit, validation images calibrate, test images are judged.

    Without validation images the test images set the threshold and none is judged.

    Args:
        parts: The part of each image.
        usable: Whether each image takes part; images of a class that is left out do not.

    Raises:
        ValueError: If every image was trained on, or a role has no image left.
    """
    held_out = [part for part in ("validation", "test") if part in parts]
    if not held_out:
        raise ValueError(
            f"all {len(parts)} images were trained on, so no threshold can be set; fit with "
            "--split.validation_share above 0, or pass --folds for features that were not trained"
        )
    judged_part = held_out[1] if len(held_out) > 1 else None
    part_of_role = {"fitted": "train", "calibrating": held_out[0], "judged": judged_part}
    indices = {
        role: torch.tensor(
            [i for i, name in enumerate(parts) if name == part and usable[i]], dtype=torch.int64
        )
        for role, part in part_of_role.items()
    }
    for role in ("fitted", "calibrating"):
        if not len(indices[role]):
            part = part_of_role[role]
            raise ValueError(f"no image of part {part!r} is left; leave out another class")
    roles = Roles(**indices, folds=NO_IMAGES)
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
        rounds.append(Roles(fitted, NO_IMAGES, judged, folds[fitted]))
    return Assignment(tuple(rounds), Roles(every, NO_IMAGES, NO_IMAGES, folds[every]))


def fit_in_roles(
    roles: Roles,
    fit: Callable[[Indices], Fit],
    calibrate: Callable[[Fit, Indices], Fit],
    fit_folds: Callable[[Indices, Indices], Fit],
) -> Fit:
    """Fits a density to the images of a round, and sets its threshold.

    Args:
        roles: The roles of the images.
        fit: Fits to the images at some indices.
        calibrate: Sets the threshold of a fit by the images at some indices.
        fit_folds: Fits to the images at some indices, and sets the threshold by their folds.
    """
    if len(roles.folds):
        return fit_folds(roles.fitted, roles.folds)
    return calibrate(fit(roles.fitted), roles.calibrating)


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
