"""Which classes of an image are explained: the predicted one, a named one, or the first few."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellxai.adapters.explained_images import Subject
from cellxai.adapters.explained_score import ScoredRun


@dataclass(frozen=True)
class ClassChoice:
    """Which classes are explained of every image.

    Args:
        target: A class by its name or number, whatever is predicted; null for the predicted one.
        top_labels: How many classes of each image, those of the highest scores.

    Raises:
        ValueError: If both are chosen, or ``top_labels`` is not positive.
    """

    target: str | int | None = None
    top_labels: int = 1

    def __post_init__(self) -> None:
        if self.top_labels < 1:
            raise ValueError(f"top_labels={self.top_labels}: expected at least 1")
        if self.target is not None and self.top_labels > 1:
            raise ValueError(
                f"target={self.target!r} names one class and top_labels={self.top_labels} asks for "
                "more; pass one of the two"
            )

    def of(
        self, subjects: Sequence[Subject], classes: Sequence[str], scored: ScoredRun
    ) -> list[Subject]:
        """Every image once for each of its explained classes.

        Raises:
            ValueError: If there is no such class, or the score is of no class.
        """
        if self == ClassChoice():
            return list(subjects)
        if not scored.of_classes:
            name = f"target={self.target!r}" if self.top_labels == 1 else "top_labels"
            raise ValueError(
                f"{name}: the {scored.name} is of the image, not of a class; leave it out"
            )
        if self.target is not None:
            number = class_number(self.target, classes)
            return [replace(subject, target=number) for subject in subjects]
        ranked = [first_classes(subject, self.top_labels) for subject in subjects]
        return [subject for of_image in ranked for subject in of_image]


def first_classes(subject: Subject, n: int) -> list[Subject]:
    """The image for each of its n classes of highest score, the highest first.

    Raises:
        ValueError: If there are fewer classes.
    """
    n_classes = len(subject.logits)
    if n > n_classes:
        raise ValueError(f"top_labels={n}: the network knows {n_classes} classes; pass at most so")
    order = subject.logits.argsort(descending=True, stable=True)[:n].tolist()
    return [replace(subject, target=target, rank=i + 1) for i, target in enumerate(order)]


def class_number(wanted: str | int, classes: Sequence[str]) -> int:
    """The column of a class that is named, or given by its number from 0.

    Raises:
        ValueError: If there is none; with the nearest names.
    """
    if str(wanted) in classes:
        return list(classes).index(str(wanted))
    known = ", ".join(f"{name} ({i})" for i, name in enumerate(classes))
    if str(wanted).lstrip("-").isdecimal():
        number = int(wanted)
        if 0 <= number < len(classes):
            return number
        raise ValueError(f"target={wanted}: expected a class from 0 to {len(classes) - 1}: {known}")
    near = difflib.get_close_matches(str(wanted), classes, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {known}"
    raise ValueError(f"target={wanted!r}: the network has no such class; {hint}")
