"""The settings of a split: shares, folds, and what it keeps together or in proportion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PARTS = ("train", "validation", "test")
RARE_CLASSES = ("refuse", "leave_out")
LEAVE_ONE_OUT = "leave_one_out"


@dataclass(frozen=True)
class SplitSettings:
    """How a data set is parted: by shares, into folds, or as a file says. Groups stay whole.

    Args:
        validation_share: Share of the images that choose the epoch and the thresholds.
        test_share: Share of the images that are looked at once, at the end; not used with folds.
        seed: Another seed parts the images differently.
        file: A ``split.csv`` with columns ``id`` and ``part`` to use as it is; shares, folds and
            seed are then not used.
        n_folds: Folds of a cross-validation, each of which is tested in one run; ``None`` for a
            single split. ``leave_one_out``: every group is a fold, in the order of their names, and
            ``validation_share`` is of the images that are not tested.
        fold: The fold that is tested here, from 0; all others train and validate.
        rare_classes: What becomes of a class with too few images or groups to be in every part, or
            in every fold: ``refuse`` ends with its name, ``leave_out`` reports it and goes on.
        keep_copies_together: Whether images that show the same (turned, resized, recompressed, as
            `cellxai check` finds them) are one group. All images are read once more for it.
        group_by: Columns of the data, such as ``plate``: images that are equal in all of them are
            a group, here and in every interval. Empty for the groups that the reader knows.
        stratify_by: Columns whose values are to be in every part in proportion, within each class.
            Empty for the class alone.

    Raises:
        ValueError: If a share is outside [0, 1), nothing is left to train on, there is no such
            fold, or a file parts the images and copies are to be kept together, or strata.
    """

    validation_share: float = 0.2
    test_share: float = 0.2
    seed: int = 0
    file: Path | None = None
    n_folds: int | Literal["leave_one_out"] | None = None
    fold: int = 0
    rare_classes: Literal["refuse", "leave_out"] = "refuse"
    keep_copies_together: bool = False
    group_by: tuple[str, ...] = ()
    stratify_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("validation_share", "test_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a share in [0, 1)")
        self._check_folds()
        if self.validation_share + self.tested_share >= 1:
            tested = f"n_folds={self.n_folds}" if self.n_folds else f"test_share={self.test_share}"
            raise ValueError(
                f"validation_share={self.validation_share} and {tested} "
                "leave nothing to train on; pass shares that sum to less than 1"
            )
        if self.rare_classes not in RARE_CLASSES:
            expected = " or ".join(RARE_CLASSES)
            raise ValueError(f"rare_classes={self.rare_classes!r}: expected {expected}")
        if self.keep_copies_together and self.file is not None:
            raise ValueError(
                f"split.keep_copies_together=true and split.file={self.file}: the file says which "
                "image is where; pass one of the two"
            )
        if self.stratify_by and self.file is not None:
            raise ValueError(
                f"split.stratify_by={[*self.stratify_by]} and split.file={self.file}: the file "
                "says which image is where; pass one of the two"
            )

    def _check_folds(self) -> None:
        if isinstance(self.n_folds, int) and self.n_folds < 2:
            raise ValueError(f"n_folds={self.n_folds}: expected at least 2, or null for no folds")
        # How many groups there are to leave out, the data says.
        n_folds = self.fold + 1 if self.n_folds == LEAVE_ONE_OUT else self.n_folds or 1
        if not 0 <= self.fold < int(n_folds):
            folds = "0 without n_folds" if self.n_folds is None else f"0…{int(n_folds) - 1}"
            raise ValueError(f"fold={self.fold}: expected {folds}")

    @property
    def tested_share(self) -> float:
        """The share of the images that one run tests; 0 where the data says how many folds."""
        if self.n_folds == LEAVE_ONE_OUT:
            return 0.0
        return 1 / self.n_folds if isinstance(self.n_folds, int) else self.test_share

    @property
    def shares(self) -> dict[str, float]:
        """The share of each part that gets any image, the training part first."""
        train = 1 - self.validation_share - self.tested_share
        shares = zip(PARTS, (train, self.validation_share, self.tested_share), strict=True)
        return {part: share for part, share in shares if share > 0}

    @property
    def units_needed(self) -> int:
        """Groups, or images without a group, that put a class into every part of every fold.

        Where groups are left out one by one, a class need not be in each of them: two groups, for
        it must be learnt whichever is left out.
        """
        if self.n_folds == LEAVE_ONE_OUT:
            return 2
        if self.n_folds == 2 and self.validation_share:
            return 4  # the half that is not tested has to be shared out again
        return self.n_folds if isinstance(self.n_folds, int) else len(self.shares)
