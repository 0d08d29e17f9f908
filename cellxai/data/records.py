"""One record per image: what every reader of a data set returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from reprlib import Repr

import numpy as np
from jaxtyping import Int32, UInt8

from cellxai.data.corruption import SeededCorruption

SHORT = Repr()
SHORT.maxstring = SHORT.maxother = 120  # characters: a path is longer than what reprlib leaves
MaskLoader = Callable[[], Int32[np.ndarray, "h w"]]
CauseLoader = Callable[[], Int32[np.ndarray, "h w *p"]]
ImageLoader = Callable[[], UInt8[np.ndarray, "h w"]]


@dataclass(frozen=True)
class Record:
    """One image with its label.

    Args:
        id: Unique in its source, and safe as a file name.
        path: The image file.
        label: Name of the class.
        group: Images that must not be parted by a split (a plate, a patient), if known.
        load_mask: Reads the instance labels, 0 where there is no cell; ``None`` without masks.
        load_cause: Reads the planted cause map, non-zero on the pixels that make the class, [h w]
            or [h w p] by plane of the file; ``None`` for real images, whose cause is not known.
        corruptions: What is done to the file's pixels when they are read, in this order.
        load_image: Reads the pixels where ``path`` is a file of many images; ``None`` where it is
            an image file.
    """

    id: str
    path: Path
    label: str
    group: str | None = None
    load_mask: MaskLoader | None = None
    load_cause: CauseLoader | None = None
    corruptions: tuple[SeededCorruption, ...] = ()
    load_image: ImageLoader | None = None


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a data set.

    Args:
        where: The file or the row, as a reader would look it up: ``train.csv row 17``.
        what: The value got, what was expected, and the way out.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def brief(value: object) -> str:
    """A value that a file gave, as Python writes it, and cut where it is long."""
    return SHORT.repr(value)


@dataclass(frozen=True)
class Scan:
    """A data set as read.

    Args:
        records: The sound images.
        faults: What is wrong; the images that it makes unusable are left out.
        notes: What is not wrong and yet has to be known; nothing is left out for it.
    """

    records: tuple[Record, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in alphabetical order, which is the order of the logits."""
        return tuple(sorted({record.label for record in self.records}))


class Source(ABC):
    """A data set on disk. Subclass it in a file of your own and name it in ``data.class_path``.

    Arguments of ``__init__`` are kept as attributes of the same name, so that a run folder can
    record the source that it was made from.
    """

    @abstractmethod
    def scan(self) -> Scan:
        """Lists the images without decoding them: broken rows become faults, the rest is kept.

        Raises:
            FileNotFoundError: If the folder or its table does not exist at all.
        """


def note_blank_groups(records: Sequence[Record]) -> list[Fault]:
    """A line where some images name a group and others do not: those go into any part."""
    alone = [record.id for record in records if record.group is None]
    if not alone or len(alone) == len(records):
        return []
    first = ", ".join(alone[:3]) + (", …" if len(alone) > 3 else "")
    what = (
        f"blank for {len(alone)} of {len(records)} images ({first}): each is a group of its own, "
        "and may part from the images that it belongs to; fill in the group if there is one"
    )
    return [Fault("group", what)]
