"""Dealing images out, group by group, so that every part gets every class in proportion."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from cellxai.data.records import Record

NOTHING_YET = 1e-9  # stands for √(0 · 1): a part without a class comes before all that have it

Name = TypeVar("Name", str, int)
Need = Callable[[Name, Counter[str], Counter[str]], Any]


def deal_parts(records: Sequence[Record], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """The part of each image by id; parts get images in proportion to their shares."""

    def need(part: str, have: Counter[str], unit: Counter[str]) -> float:
        return urgency(shares[part], have, unit)

    return deal(shuffled_units(records, seed), list(shares), need)


def deal_folds(records: Sequence[Record], n_folds: int, seed: int) -> dict[str, int]:
    """The fold of each image, from 0, by id; folds are of equal size as far as groups allow."""

    # Class by class, and what does not divide by the number of folds goes to the smallest fold, not
    # to the first one for each class.
    def need(_: int, have: Counter[str], unit: Counter[str]) -> tuple[float, int]:
        return urgency(1.0, have, unit), -have.total()

    units = shuffled_units(records, seed)
    by_class = sorted(units, key=lambda unit: (-len(unit), sorted(record.label for record in unit)))
    return deal(by_class, range(n_folds), need)


def deal(
    units: Iterable[Sequence[Record]], names: Sequence[Name], need: Need[Name]
) -> dict[str, Name]:
    """Gives each unit as a whole to the name that needs it most, the first of equals."""
    have: dict[Name, Counter[str]] = {name: Counter() for name in names}
    dealt: dict[str, Name] = {}
    for unit in units:
        counts = Counter(record.label for record in unit)
        name = max(names, key=lambda name: need(name, have[name], counts))
        have[name] += counts
        dealt |= {record.id: name for record in unit}
    return dealt


def urgency(share: float, have: Counter[str], unit: Counter[str]) -> float:
    """How much a part of ``share`` that has ``have`` images a class needs the classes of a unit.

    The Huntington-Hill priority share / √(have · (have + 1)), which gives every part one image
    before any gets a second. The splitters of scikit-learn know either groups or free shares.
    """
    return sum(
        n * share / max(math.sqrt(have[label] * (have[label] + 1)), NOTHING_YET)
        for label, n in unit.items()
    )


def shuffled_units(records: Sequence[Record], seed: int) -> list[list[Record]]:
    """Groups in random order, the large ones first: small ones then even out the shares."""
    units: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.id):
        units.setdefault(unit_name(record), []).append(record)
    names = sorted(units)
    order = np.random.default_rng(seed).permutation(len(names))
    return sorted((units[names[i]] for i in order), key=len, reverse=True)


def unit_name(record: Record) -> str:
    """The group, or the image itself; told apart, for an id may equal a group's name."""
    return f"image {record.id}" if record.group is None else f"group {record.group}"


def units_per_class(records: Sequence[Record]) -> dict[str, int]:
    """How many groups (or images without a group) each class has, in alphabetical order."""
    units = {(record.label, unit_name(record)) for record in records}
    return dict(sorted(Counter(label for label, _ in units).items()))
