"""One record per image: what every reader of a data set returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import Repr

import numpy as np
from jaxtyping import Int32, Num

from cellxai.data.corruption import SeededCorruption

SHORT = Repr()
SHORT.maxstring = SHORT.maxother = 120  # characters: a path is longer than what reprlib leaves
MaskLoader = Callable[[], Int32[np.ndarray, "h w"]]
CauseLoader = Callable[[], Int32[np.ndarray, "h w *p"]]
ImageLoader = Callable[[], Num[np.ndarray, "h w *p"]]


class Columns(Mapping[str, str]):
    """What a table says of an image beside its class: plate, well, dose; it cannot be changed.

    Unlike a mapping proxy it can be hashed, as records are, and sent to another process.
    """

    def __init__(self, cells: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> None:
        self._cells = tuple(dict(cells).items())

    def __getitem__(self, name: str) -> str:
        return dict(self._cells)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._cells))

    def __len__(self) -> int:
        return len(self._cells)

    def __hash__(self) -> int:
        return hash(frozenset(self._cells))

    def __repr__(self) -> str:
        return f"Columns({dict(self._cells)!r})"


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
        load_image: Reads the pixels where ``path`` is a file of many images, or one of several
            that make an image; ``None`` where it is an image file.
        series: Number of the image in a file of several, from 0; ``None`` where the settings say.
        time: Number of the time point, likewise.
        cell_classes: Class of each cell, that of label 1 first, where the annotations name one;
            empty where they do not.
        columns: What else a table says of the image, by the names of its columns; a cell may be
            empty.
        more_files: The files that ``load_image`` reads beside ``path``, in order.
        planes: Names of the planes that ``load_image`` gives, in order; empty where nobody named
            them.
    """

    id: str
    path: Path
    label: str
    group: str | None = None
    load_mask: MaskLoader | None = None
    load_cause: CauseLoader | None = None
    corruptions: tuple[SeededCorruption, ...] = ()
    load_image: ImageLoader | None = None
    series: int | None = None
    time: int | None = None
    cell_classes: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    more_files: tuple[Path, ...] = ()
    planes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that decides the pixels."""
        return (self.path, *self.more_files)


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
