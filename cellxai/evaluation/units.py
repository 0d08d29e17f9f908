"""Which images count as one: those of one plate, patient or image."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from cellxai.data.records import Record


def sampling_units(records: Sequence[Record]) -> Int[np.ndarray, " n"]:
    """What is independent of others: the image, or all images of its group where it has one.

    Images of one plate or patient resemble each other; taken separately, they would make an
    interval too narrow.
    """
    names = [
        ("image", record.id) if record.group is None else ("group", record.group)
        for record in records
    ]
    index_of = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([index_of[name] for name in names], dtype=np.int64)


def units_of_rarest_class(labels: Int[np.ndarray, " n"], units: Int[np.ndarray, " n"]) -> int:
    """The units of the present class that has fewest of them."""
    return min(len(np.unique(units[labels == k])) for k in np.unique(labels))
