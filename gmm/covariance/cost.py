"""What the forms of E- and M-step cost, estimated from sizes alone, and which is the cheaper.

There are two forms for one matrix per component. *Packed*: the d(d+1)/2 products of two features
are written down once, and every run and component is one row of a product with them. *Triangular*:
Uᵀ(x - μ) and the sums of x xᵀ for each component, of which triangles alone are computed, in blocks.
Packed needs the fewer operations, and pays for the products of features whatever K is: it wins
where rows are many and features few.
"""

from dataclasses import dataclass, replace

import torch

MOST_BLOCKS = 8  # 9/16 of the operations of a whole square; 16 blocks would save another 1/32
SMALLEST_BLOCK = {"cpu": 16, "cuda": 128}  # below, a matrix product is slow; CUDA's not measured
SMALLEST_TRIANGLES = 2**22  # multiplications of whole squares that are worth cutting into blocks


@dataclass(frozen=True)
class Machine:
    """Speeds, of one core or of one GPU: only their ratios decide.

    Args:
        operations: Floating-point operations a second of a matrix product, by bytes per number.
        cached: Bytes a second to and from the cache.
        stored: Bytes a second to and from the memory behind it.
        cache: Bytes that this cache holds.
        launch: Seconds that one operation on a tensor takes, however few its numbers.
    """

    operations: dict[int, float]
    cached: float
    stored: float
    cache: int
    launch: float


MACHINES = {
    # One core of an AMD EPYC with AVX-512 and torch 2.14: both forms within a third of what this
    # says, for 8 to 64 features and 3 to 32 components in float32 and float64.
    "cpu": Machine({8: 6e10, 4: 1.2e11}, cached=1e11, stored=1e10, cache=2**25, launch=3e-6),
    # An H100 by its data sheet, without tensor cores in float32. Not measured.
    "cuda": Machine({8: 6e13, 4: 6e13}, cached=3e12, stored=3e12, cache=2**40, launch=5e-6),
}


@dataclass(frozen=True)
class Task:
    """One pass over the samples: what the choice of a form depends on.

    Args:
        n_samples: Number of samples.
        n_runs: Mixtures in the batch. One product serves all, so that the last bits of a run can
            depend on how many they are.
        n_components: Components of each.
        n_features: d.
        dtype: Precision of the pass.
        device: Where it is computed.
        fitting: Whether second moments are summed too, or densities alone are wanted.
    """

    n_samples: int
    n_runs: int
    n_components: int
    n_features: int
    dtype: torch.dtype = torch.float64
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - immutable
    fitting: bool = True

    @property
    def n_rows(self) -> int:
        """Components of all runs."""
        return self.n_runs * self.n_components

    def scoring(self) -> "Task":
        """The pass that wants densities alone."""
        return replace(self, fitting=False)


@dataclass(frozen=True)
class Work:
    """What a form has to do.

    Args:
        products: Multiplications, each with an addition, per sample.
        bytes: Read and written, per sample.
        launches: Operations on tensors, per chunk.
        once: Multiplications before the first sample.
        row_bytes: Written for one sample, of which a chunk holds as many as fit.
    """

    products: int
    bytes: int
    launches: int
    once: int
    row_bytes: int


def seconds(work: Work, task: Task) -> float:
    """How long a pass is estimated to take.

    Args:
        work: What the form has to do.
        task: The pass.
    """
    machine = MACHINES["cpu" if task.device.type == "cpu" else "cuda"]
    smallest = 256 * work.row_bytes  # see gmm.samples.statistics.SMALLEST_CHUNK
    speed = machine.cached if smallest <= machine.cache else machine.stored
    chunk = max(256.0, machine.cache / 4 / work.row_bytes)
    multiplications = work.products * task.n_samples + work.once
    return (
        2 * multiplications / machine.operations[task.dtype.itemsize]
        + work.bytes * task.n_samples / speed
        + work.launches * machine.launch * -(-task.n_samples // chunk)
    )


def packed(task: Task) -> Work:
    """The form with all products of two features."""
    d, size, passes = task.n_features, task.dtype.itemsize, 2 if task.fitting else 1
    rows, width = task.n_rows, d * (d + 1) // 2
    return Work(
        products=passes * rows * width,
        # Forming the products reads two features that are not aligned and writes one: as four
        # passes. A matrix product copies its operand into its own layout: as two.
        bytes=size * width * (4 + 2 * passes),
        launches=8 + 4 * passes,
        once=rows * d**3,  # the precisions U Uᵀ
        row_bytes=size * width,
    )


def triangular(task: Task) -> Work:
    """The form with a triangle per component."""
    d, size, passes = task.n_features, task.dtype.itemsize, 2 if task.fitting else 1
    rows, parts = task.n_rows, blocks(d, task.n_rows * task.n_samples, task.device)
    triangle = sum((end - first) * end for first, end in parts)
    return Work(
        products=passes * rows * triangle,
        # E-step: written, squared, summed. M-step: weighted, written, copied by the product.
        bytes=size * rows * d * 4 * passes,
        launches=5 * len(parts) * passes,
        once=rows * d**2,
        row_bytes=size * rows * max(end - first for first, end in parts),
    )


def packs(task: Task) -> bool:
    """Whether the packed form is the cheaper for one matrix per component."""
    return seconds(packed(task), task) < seconds(triangular(task), task)


def prefers_float32(task: Task) -> bool:
    """Whether triangles in float32 are cheaper than either form in float64.

    Where components are too far from the reference for the packed form in float32.
    """
    single, double = replace(task, dtype=torch.float32), replace(task, dtype=torch.float64)
    others = seconds(packed(double), double), seconds(triangular(double), double)
    return seconds(triangular(single), single) < min(others)


def is_small(n_features: int, n_vectors: int) -> bool:
    """Whether squares are cheaper than triangles: operations are launched for longer than they run.

    Args:
        n_features: d.
        n_vectors: Vectors that triangles are multiplied with: samples times components.
    """
    return n_vectors * n_features**2 < SMALLEST_TRIANGLES


def blocks(n_features: int, n_vectors: int, device: torch.device) -> list[tuple[int, int]]:
    """First and last feature of the blocks of rows in which triangles are computed.

    Args:
        n_features: d.
        n_vectors: Vectors that triangles are multiplied with: samples times components.
        device: Where.
    """
    if is_small(n_features, n_vectors):
        return [(0, n_features)]
    least = SMALLEST_BLOCK["cpu" if device.type == "cpu" else "cuda"]
    width = max(least, -(-n_features // MOST_BLOCKS))
    return [(first, min(first + width, n_features)) for first in range(0, n_features, width)]
