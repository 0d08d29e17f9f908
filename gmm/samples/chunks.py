"""Sources of samples that are read chunk by chunk: loaders, lists, functions, files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.utils.data import (
    DistributedSampler,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from gmm.files.matrices import file_chunks
from gmm.samples.placement import check_unmasked
from gmm.samples.streaming import Streamed
from gmm.samples.survey import as_tensor, check_weight, survey
from gmm.samples.validation import check_finite

Check = Callable[[Tensor, str], None]
"""Refuses samples, called by a name, of values that cannot be used."""

SHUFFLING = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)
CUT = 2**22  # numbers per chunk of a matrix that is cut here: 32 MiB of float64
NO_SAMPLES = (
    "the stream has no samples, expected at least one chunk with rows; pass a source that begins "
    "anew whenever it is read"
)


@dataclass(frozen=True)
class Chunks:
    """A source of samples that is read chunk by chunk, from its beginning in every pass.

    A chunk is an array or tensor, n × d, with any number of rows; or a tuple or list that holds it
    alone, as a ``DataLoader`` of a ``TensorDataset`` gives it. ``fit`` and the methods that score
    take a ``DataLoader``, a list of chunks, a ``numpy.memmap`` and a ``pathlib.Path`` as they are;
    ``Chunks`` is for functions, or to be explicit::

        GaussianMixture(16).fit(DataLoader(TensorDataset(features), batch_size=4096))
        GaussianMixture(16).fit(np.load("features.npy", mmap_mode="r"))
        GaussianMixture(16).fit(Path("features.safetensors"))
        GaussianMixture(16).fit(Chunks(lambda: (x for x, label in labelled_loader)))

    EM over chunks is exact: it sums the same statistics. Before the first iteration the source is
    read once for its mean, variance and mistakes, and once for the samples that a start is looked
    for in; then once per iteration.

    Args:
        source: An iterable that begins anew whenever it is asked, such as a ``DataLoader`` or a
            list; a function without arguments that returns an iterator; a matrix, such as a
            ``numpy.memmap``; or the path of a ``.npy`` or ``.safetensors`` file.

    Raises:
        ValueError: If the source can be read only once, or cannot be read at all.
    """

    source: Any

    def __post_init__(self) -> None:
        kind = type(self.source).__name__
        if isinstance(self.source, Iterator):
            raise ValueError(
                f"samples come from a {kind}, which can be read only once, expected a source that "
                f"begins anew at every iteration; pass a list, a DataLoader, or gmm.Chunks of a "
                f"function that returns the {kind}"
            )
        if not (isinstance(self.source, (Iterable, Path)) or callable(self.source)):
            raise ValueError(
                f"samples come from a {kind}, expected a DataLoader, a list of chunks, a function "
                f"that returns an iterator of them, a matrix or the path of one"
            )

    def matrices(self, check: Check = check_finite) -> Iterator[np.ndarray | Tensor]:
        """The chunks that are not empty, in float32 or float64, tensors or arrays as they come.

        Args:
            check: Refuses chunks of values that cannot be used, such as NaN.

        Raises:
            ValueError: If one is not a matrix of real numbers that ``check`` accepts, or not as
                wide as the first.
        """
        width = None
        for index, item in enumerate(_items(self.source)):
            matrix = _matrix(item, index)
            width = matrix.shape[1] if width is None else width
            if matrix.shape[1] != width:
                raise ValueError(
                    f"chunks[{index}] has {matrix.shape[1]} columns, expected {width} as in "
                    f"chunks[0]; give every chunk the same features"
                )
            check(as_tensor(matrix), f"chunks[{index}]")
            if len(matrix):
                yield matrix

    def check_order(self, purpose: str) -> None:
        """Refuses a loader that draws its samples in another order in every pass.

        Args:
            purpose: What the order is needed for.

        Raises:
            ValueError: If it is one.
        """
        sampler = getattr(self.source, "sampler", None)
        shuffled = isinstance(sampler, SHUFFLING) or (
            isinstance(sampler, DistributedSampler) and sampler.shuffle
        )
        if shuffled:
            raise ValueError(
                f"the DataLoader draws with a {type(sampler).__name__}, in another order in every "
                f"pass, expected the order of its data set for {purpose}; pass a DataLoader with "
                f"shuffle=False"
            )

    def apply(
        self,
        function: Callable[[np.ndarray | Tensor], Any],
        *,
        ordered: bool = True,
        check: Check = check_finite,
    ) -> Any:
        """The values of a function of each chunk, one after the other in one array or tensor.

        Args:
            function: Takes a chunk.
            ordered: Whether it matters which value belongs to which sample.
            check: Refuses chunks of values that cannot be used.

        Raises:
            ValueError: If there are no samples, or in no order where it matters.
        """
        if ordered:
            self.check_order("one answer per sample")
        parts = [function(matrix) for matrix in self.matrices(check)]
        if not parts:
            raise ValueError(NO_SAMPLES)
        return torch.cat(parts) if isinstance(parts[0], Tensor) else np.concatenate(parts)

    def samples(
        self,
        sample_weight: ArrayLike | Tensor | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        check: Check = check_finite,
    ) -> Streamed:
        """The samples to fit, after a first pass over them.

        Args:
            sample_weight: How often each counts, in the order of the stream; None for once.
            device: Where to compute; None for where the first chunk is.
            dtype: Precision to compute with; None for that of the chunks.
            check: Refuses chunks of values that cannot be used.

        Raises:
            ValueError: If a chunk or the weights cannot be used, or if there is no sample.
        """
        if sample_weight is not None:
            self.check_order("sample_weight")
        first_pass = survey(self.matrices(check), sample_weight, device)
        if first_pass is None:
            raise ValueError(NO_SAMPLES)
        check_weight(first_pass.moments)
        return Streamed(first_pass.with_dtype(dtype), partial(self.matrices, check))


def as_chunks(x: Any) -> Chunks | None:
    """The samples given to ``fit``, as chunks; None for one matrix and for unknown kinds.

    Raises:
        ValueError: If it can be read only once.
    """
    if isinstance(x, Chunks):
        return x
    if isinstance(x, Path):
        return Chunks(x)
    if isinstance(x, (list, tuple)):
        return Chunks(x) if x and _dimensions(x[0]) == 2 else None
    if isinstance(x, np.memmap):
        return Chunks(x) if x.ndim == 2 and x.dtype.kind in "fiub" and x.size else None
    if isinstance(x, (str, Mapping, set)) or hasattr(x, "shape") or hasattr(x, "__array__"):
        return None
    return Chunks(x) if isinstance(x, Iterable) else None


def _items(source: Any) -> Iterator[Any]:
    """The chunks of a source, unchecked."""
    if isinstance(source, (str, Path)):
        return file_chunks(source, CUT)
    if isinstance(source, (np.ndarray, Tensor)) and source.ndim == 2:
        rows = max(1, CUT // max(1, source.shape[1]))
        return (source[first : first + rows] for first in range(0, len(source), rows))
    return iter(source if isinstance(source, Iterable) else source())


def _matrix(item: Any, index: int) -> np.ndarray | Tensor:
    """The chunk that an item is or wraps, as floating point; float32 stays float32."""
    matrix: Any = _unwrap(item, index)
    is_real = not matrix.is_complex() if isinstance(matrix, Tensor) else matrix.dtype.kind in "fiub"
    if matrix.ndim != 2 or not is_real or not matrix.shape[1]:
        raise ValueError(
            f"chunks[{index}] has shape {tuple(matrix.shape)} and dtype {matrix.dtype}, expected "
            f"real samples in rows, n × d"
        )
    if isinstance(matrix, Tensor):
        return matrix if matrix.dtype in (torch.float32, torch.float64) else matrix.double()
    dtype = np.float32 if matrix.dtype == np.float32 else np.float64
    # Writable, since torch warns of a view of an array that is not: memory maps are copied.
    return np.require(matrix, dtype, ["C", "W"])


def _unwrap(item: Any, index: int) -> np.ndarray | Tensor:
    """The matrix that an item is, or that it holds alone."""
    is_wrapped = isinstance(item, (list, tuple)) and _dimensions(item) > 0
    if is_wrapped and len(item) > 1:
        raise ValueError(
            f"chunks[{index}] is a {type(item).__name__} of {len(item)}, expected one matrix; if "
            f"the samples come first, pass gmm.Chunks(lambda: (item[0] for item in source))"
        )
    matrix = next(iter(item)) if is_wrapped else item
    if isinstance(matrix, Tensor):
        return matrix
    check_unmasked(matrix)
    return np.asarray(matrix)


def _dimensions(value: Any) -> int:
    """2 for a matrix, also where it comes first in a tuple or list; 0 for what has no shape."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return len(getattr(value, "shape", ()))
