"""What views see of images: held in memory, or seen anew each time that it is asked for."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Rows = Mapping[str, Float[Tensor, "n ..."]]


class RowSource(ABC):
    """The rows of every view of some images, an image at a time or many."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of images."""

    @abstractmethod
    def of(self, images: Int[Tensor, " m"]) -> Rows:
        """The rows of at least one of the images, in the order given, by view."""


class HeldRows(RowSource):
    """Rows in memory.

    Args:
        rows: By view.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(next(iter(self.rows.values()), ()))

    @property
    def n_bytes(self) -> int:
        """Memory that they take."""
        return sum(rows.numel() * rows.element_size() for rows in self.rows.values())

    def of(self, images: Int[Tensor, " m"]) -> Rows:
        """See :meth:`RowSource.of`."""
        return {name: rows[images] for name, rows in self.rows.items()}


class SomeRows(RowSource):
    """The rows of some of the images of another source; copies nothing.

    Args:
        source: The other source.
        places: Its images, in the order wanted.
    """

    def __init__(self, source: RowSource, places: Int[Tensor, " m"]) -> None:
        self.source = source
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def of(self, images: Int[Tensor, " m"]) -> Rows:
        """See :meth:`RowSource.of`."""
        return self.source.of(self.places[images])


class JoinedRows(RowSource):
    """The images of several sources, one after another; copies nothing.

    Args:
        sources: With the same views; those without images are passed over.
    """

    def __init__(self, sources: Sequence[RowSource]) -> None:
        self.sources = [source for source in sources if len(source)]
        self.ends = torch.tensor([len(source) for source in self.sources]).cumsum(0)

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.sources else 0

    def of(self, images: Int[Tensor, " m"]) -> Rows:
        """See :meth:`RowSource.of`."""
        of_source = torch.searchsorted(self.ends, images, right=True)
        parts, order = [], []
        for number in of_source.unique().tolist():
            chosen = (of_source == number).nonzero()[:, 0]
            start = int(self.ends[number]) - len(self.sources[number])
            parts.append(self.sources[number].of(images[chosen] - start))
            order.append(chosen)
        back = torch.cat(order).argsort()
        return {name: torch.cat([part[name] for part in parts])[back] for name in parts[0]}


def as_source(rows: Rows | RowSource) -> RowSource:
    """Rows in memory as a source; a source as it is."""
    return rows if isinstance(rows, RowSource) else HeldRows(rows)
