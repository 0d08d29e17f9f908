"""The table of the regime map: its cells, and the file ``gmm_regimes.csv`` that holds them."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from gmm.files.atomic import atomic
from gmm.options import CovarianceType

WORKS = ("fit", "score one", "score all", "predict", "default fit")


@dataclass(frozen=True)
class Problem:
    """Samples and the kind of mixture to fit to them."""

    covariance_type: CovarianceType
    n_samples: int
    n_features: int
    n_components: int
    spread: float

    @property
    def n_iterations(self) -> int:
        """Iterations of a fit: fewer where they are long."""
        return 2 if self.n_samples * self.n_components > 5_000_000 else 10

    @property
    def label(self) -> str:
        """The problem but for its type, for a row of the picture."""
        far = "" if self.spread == 2 else f", {self.spread:.0f} sd apart"
        return f"{self.n_samples:,} × {self.n_features}, K={self.n_components}{far}"


@dataclass(frozen=True)
class Cell:
    """One line of the table: medians of a turn, in seconds.

    Args:
        work: One of :data:`WORKS`.
        theirs_cpu: CPU time of scikit-learn, float64.
        double_cpu: Ours in float64.
        single_cpu: Ours in float32.
        theirs_wall: Likewise by the clock on the wall.
        double_wall: Likewise.
        single_wall: Likewise.
        difference: Of the mean log densities that the fits in float64 have reached, in nats.
    """

    covariance_type: str
    n_samples: int
    n_features: int
    n_components: int
    spread: float
    work: str
    theirs_cpu: float
    double_cpu: float
    single_cpu: float
    theirs_wall: float
    double_wall: float
    single_wall: float
    difference: float

    @property
    def name(self) -> str:
        """What patterns name it by, such as ``diag, 20,000 × 64, K=1: score all``."""
        return cell_name(problem_of(self), self.work)

    @property
    def ratios(self) -> tuple[float, float]:
        """How many times as fast ours is by CPU time, in float64 and in float32."""
        return self.theirs_cpu / self.double_cpu, self.theirs_cpu / self.single_cpu


def read_cells(path: Path, machine: str) -> list[Cell]:
    """The cells that an earlier call has measured on the same machine; none where there are none.

    Raises:
        ValueError: If the table is that of another machine or of other versions.
    """
    if not path.exists():
        return []
    header, *lines = path.read_text().splitlines()
    if machine not in header:
        raise ValueError(
            f"{path} was measured with {header.removeprefix('# ')}, expected {machine}; "
            f"move it away to measure anew"
        )
    kinds = {field.name: field.type for field in fields(Cell)}
    read = csv.DictReader(lines)
    return [Cell(**{name: _parse(kinds[name], text) for name, text in row.items()}) for row in read]


def _parse(kind: Any, text: str) -> Any:
    return text if kind is str else kind(text)


def replace_cells(cells: Sequence[Cell], measured: Sequence[Cell]) -> list[Cell]:
    """The cells with those that were measured in their places, and new ones behind."""
    new = {cell.name: cell for cell in measured}
    kept = [new.pop(cell.name, cell) for cell in cells]
    return [*kept, *new.values()]


def write_cells(path: Path, cells: Sequence[Cell], machine: str) -> None:
    """Writes the table, which begins with the machine, the versions and the date of the last."""
    with atomic(path) as temporary, temporary.open("w", newline="") as stream:
        stream.write(f"# {machine}, {date.today()}\n")
        writer = csv.DictWriter(stream, [field.name for field in fields(Cell)])
        writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)


def cell_name(problem: Problem, work: str) -> str:
    """Type, size and work in one line."""
    return f"{problem.covariance_type}, {problem.label}: {work}"


def problem_of(cell: Cell) -> Problem:
    """What a cell was measured on."""
    return Problem(**{field.name: getattr(cell, field.name) for field in fields(Problem)})


def worst_lines(cells: Sequence[Cell], n_worst: int = 5) -> Iterator[str]:
    """The cells where ours is slowest beside theirs."""
    ratios = [
        (ratio, f"{cell.name}, {dtype}")
        for cell in cells
        for ratio, dtype in zip(cell.ratios, ("float64", "float32"), strict=True)
    ]
    for ratio, words in sorted(ratios)[:n_worst]:
        yield f"{ratio:.2f}: {words}"
