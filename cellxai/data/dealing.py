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
Strata = Mapping[str, str]
"""What is dealt in proportion within each class, by the id of the image; empty for nothing."""

NO_STRATA: Strata = {}
STRATUM = "\0"  # begins the name of a stratum's count, which no class's name does
ROUNDING = 1e-9  # 0.2 · 15 is a little above 3


def deal_parts(
    records: Sequence[Record], shares: Mapping[str, float], seed: int, strata: Strata = NO_STRATA
) -> dict[str, str]:
    """The part of each image by id; parts get images in proportion to their shares.

    With strata, and images without groups, every part has within one image of its share of each
    stratum, beside the image of each class that it has for certain.
    """
    units = shuffled_units(records, seed)
    if strata:
        need = need_of_strata(records, shares, strata)
        return deal(sorted_by_content(units, strata), list(shares), need, strata)

    def need_of_classes(part: str, have: Counter[str], unit: Counter[str]) -> float:
        return urgency(shares[part], have, unit)

    return deal(units, list(shares), need_of_classes)


def need_of_strata(
    records: Sequence[Record], shares: Mapping[str, float], strata: Strata
) -> Need[str]:
    """How much a part needs a unit: a class that it lacks, then seats of strata, then classes.

    Of a stratum each part has as many seats for certain as its share rounded down, and one more
    that it may have, if the share is no whole number.
    """
    sizes = Counter(STRATUM + strata[record.id] for record in records)
    whole = sum(shares.values())

    def need(part: str, have: Counter[str], unit: Counter[str]) -> tuple[float, int, float]:
        classes = Counter({name: n for name, n in unit.items() if name not in sizes})
        lacking = sum((n * shares[part] for name, n in classes.items() if not have[name]), 0.0)
        seats = 0
        for name in unit.keys() & sizes.keys():
            exact = shares[part] / whole * sizes[name]
            for most in (math.floor(exact + ROUNDING), math.ceil(exact - ROUNDING)):
                seats += min(have[name] + unit[name], most) - min(have[name], most)
        return lacking, seats, urgency(shares[part], have, classes)

    return need


def deal_folds(
    records: Sequence[Record], n_folds: int, seed: int, strata: Strata = NO_STRATA
) -> dict[str, int]:
    """The fold of each image, from 0, by id; folds are of equal size as far as groups allow."""

    # Class by class, and what does not divide by the number of folds goes to the smallest fold, not
    # to the first one for each class. Of strata likewise: to the fold that has fewest of the class.
    def need(_: int, have: Counter[str], unit: Counter[str]) -> tuple[float, int, int]:
        dealt = {name: n for name, n in unit.items() if name.startswith(STRATUM) or not strata}
        of_class = sum(have[name] for name in unit if name not in dealt)
        return urgency(1.0, have, Counter(dealt)), -of_class, -have.total()

    units = shuffled_units(records, seed)
    return deal(sorted_by_content(units, strata), range(n_folds), need, strata)


def sorted_by_content(units: Sequence[Sequence[Record]], strata: Strata) -> list[Sequence[Record]]:
    """The units, the largest first, those of equal classes and strata one after the other."""

    def content(unit: Sequence[Record]) -> tuple[int, list[tuple[str, str]]]:
        return -len(unit), sorted((record.label, strata.get(record.id, "")) for record in unit)

    return sorted(units, key=content)


def deal(
    units: Iterable[Sequence[Record]],
    names: Sequence[Name],
    need: Need[Name],
    strata: Strata = NO_STRATA,
) -> dict[str, Name]:
    """Gives each unit as a whole to the name that needs it most, the first of equals."""
    have: dict[Name, Counter[str]] = {name: Counter() for name in names}
    dealt: dict[str, Name] = {}
    for unit in units:
        counts = Counter(record.label for record in unit)
        counts += Counter(STRATUM + strata[record.id] for record in unit if strata)
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
