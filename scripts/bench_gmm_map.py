"""The regime map of ``bench_gmm.py --map``: where gmm is faster than scikit-learn, and where not.

Every cell is the time of scikit-learn in float64 divided by ours, in float64 or float32, for the
same work on the same samples from the same start, in one process and by turns. Each problem is
added to ``gmm_regimes.csv`` once it is measured; a call that finds the file goes on with what is
missing, also after Ctrl-C, which draws what there is.
"""

import csv
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import sklearn
import torch
from bench_gmm_data import data, initial
from sklearn.mixture import GaussianMixture as Reference

from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType

TYPES: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical")
SHAPES = (  # samples, features, components, spread of the clusters
    (300, 10, 3, 2.0),
    (300, 256, 3, 2.0),
    (300, 1280, 2, 2.0),
    (1000, 50, 3, 2.0),
    (1250, 2, 3, 2.0),
    (5000, 50, 3, 2.0),
    (5000, 50, 10, 2.0),
    (20_000, 8, 4, 2.0),
    (20_000, 64, 1, 2.0),
    (20_000, 64, 3, 2.0),
    (20_000, 64, 8, 2.0),
    (20_000, 128, 16, 2.0),
    (100_000, 16, 2, 2.0),
    (100_000, 16, 8, 2.0),
    (100_000, 16, 32, 2.0),
    (100_000, 16, 128, 2.0),
    (100_000, 32, 16, 2.0),
    (100_000, 32, 16, 4.0),
    (100_000, 32, 16, 50.0),
)
QUICK = ((60, 3, 2, 2.0),)
MOST_DEFAULT = 5000  # samples of a fit with a start of its own, which is measured for small ones
SHORTEST_S = (
    0.02  # work is repeated until it takes as long: clocks and callbacks are noise beside it
)
ROUNDS, LONG_S = 5, 8.0  # turns of each, and when a cell has had enough of them; three at least


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
        work: ``fit``, ``default fit``, ``score one`` or ``score all``.
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
    def ratios(self) -> tuple[float, float]:
        """How many times as fast ours is by CPU time, in float64 and in float32."""
        return self.theirs_cpu / self.double_cpu, self.theirs_cpu / self.single_cpu


def take_turns(works: Sequence[Callable[[], Any]]) -> list[tuple[float, float]]:
    """CPU and wall seconds of each work, medians of turns that they take one after the other."""
    for work in works:
        work()  # what is loaded at the first call does not count
    repeats = [max(1, round(SHORTEST_S / max(timed(work, 1)[1], 1e-6))) for work in works]
    turns: list[list[tuple[float, float]]] = [[] for _ in works]
    began = time.perf_counter()
    while len(turns[0]) < 3 or (len(turns[0]) < ROUNDS and time.perf_counter() - began < LONG_S):
        for work, repeat, mine in zip(works, repeats, turns, strict=True):
            mine.append(timed(work, repeat))
    return [(median(t[0] for t in mine), median(t[1] for t in mine)) for mine in turns]


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """CPU and wall seconds of one work, as the mean of repeats."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.process_time() - cpu) / repeats, (time.perf_counter() - wall) / repeats


Contestants = tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]
"""The same work of scikit-learn, of ours, and of ours in float32."""


def measure(problem: Problem) -> Iterator[Cell]:
    """The cells of one problem."""
    works, difference = contestants(problem)
    for work, each in works.items():
        theirs, double, single = take_turns(each)
        yield Cell(
            **asdict(problem),
            work=work,
            theirs_cpu=theirs[0],
            double_cpu=double[0],
            single_cpu=single[0],
            theirs_wall=theirs[1],
            double_wall=double[1],
            single_wall=single[1],
            difference=difference,
        )


def contestants(problem: Problem) -> tuple[dict[str, Contestants], float]:
    """The works on a problem, and how far the mean log densities of a fit from one start differ."""
    k, name = problem.n_components, problem.covariance_type
    x = data(problem.n_samples, problem.n_features, k, spread=problem.spread)
    values = (x, x, x.astype(np.float32))
    kinds = (Reference, GaussianMixture, GaussianMixture)
    random: dict[str, Any] = {"covariance_type": name, "random_state": 0}
    equal = {**random, "tol": 0.0, "max_iter": problem.n_iterations, **initial(x, name, 0, k)}
    fitted = [kind(k, **equal).fit(rows) for kind, rows in zip(kinds, values, strict=True)]

    def fits(settings: dict[str, Any]) -> Contestants:
        theirs, double, single = (
            lambda kind=kind, rows=rows: kind(k, **settings).fit(rows)
            for kind, rows in zip(kinds, values, strict=True)
        )
        return theirs, double, single

    def scores(n_samples: int) -> Contestants:
        theirs, double, single = (
            lambda mixture=mixture, rows=rows[:n_samples]: mixture.score_samples(rows)
            for mixture, rows in zip(fitted, values, strict=True)
        )
        return theirs, double, single

    works = {"fit": fits(equal), "score one": scores(1), "score all": scores(len(x))}
    if problem.n_samples <= MOST_DEFAULT:
        works["default fit"] = fits(random)
    return works, abs(fitted[1].lower_bound_ - fitted[0].lower_bound_)


def describe_machine(threads: int) -> str:
    """Where the table comes from; tables of different ones are not mixed."""
    return (
        f"{processor()}, {threads} thread(s), Python {platform.python_version()}, torch "
        f"{torch.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    )


def processor() -> str:
    """The name of the processor, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


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


def add_cells(path: Path, cells: Sequence[Cell], machine: str) -> None:
    """Adds cells to the table, which begins with the machine, the versions and the date."""
    is_new = not path.exists()
    with path.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Cell)])
        if is_new:
            stream.write(f"# {machine}, {date.today()}\n")
            writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)


def draw_map(
    folder: Path, threads: int, shapes: Sequence[tuple[int, int, int, float]]
) -> tuple[list[Cell], Path]:
    """Measures what is missing, and draws all of it.

    Args:
        folder: Where ``gmm_regimes.csv`` is or will be, and ``gmm_regimes.png``.
        threads: Threads of both libraries, for the record.
        shapes: Samples, features, components and spread of each row.

    Returns:
        All cells, and the picture.
    """
    from bench_gmm_map_picture import draw  # it reads the types of this file

    folder.mkdir(parents=True, exist_ok=True)
    table, machine = folder / "gmm_regimes.csv", describe_machine(threads)
    cells = read_cells(table, machine)
    known = {problem_of(cell) for cell in cells}
    problems = [Problem(name, *shape) for shape in shapes for name in TYPES]
    try:
        for problem in (each for each in problems if each not in known):
            measured = list(measure(problem))
            add_cells(table, measured, machine)
            cells += measured
            words = (f"{c.work} {c.ratios[0]:.2f} / {c.ratios[1]:.2f}" for c in measured)
            print(f"{problem.covariance_type}, {problem.label}: {'; '.join(words)}", flush=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here")
    header = table.read_text().partition("\n")[0].removeprefix("# ")
    return cells, draw(cells, folder / "gmm_regimes.png", header)


def problem_of(cell: Cell) -> Problem:
    """What a cell was measured on."""
    return Problem(**{field.name: getattr(cell, field.name) for field in fields(Problem)})


def worst_lines(cells: Sequence[Cell], n_worst: int = 5) -> Iterator[str]:
    """The cells where ours is slowest beside theirs."""
    ratios = [
        (ratio, f"{cell.covariance_type}, {problem_of(cell).label}: {cell.work}, {dtype}")
        for cell in cells
        for ratio, dtype in zip(cell.ratios, ("float64", "float32"), strict=True)
    ]
    for ratio, words in sorted(ratios)[:n_worst]:
        yield f"{ratio:.2f}: {words}"
