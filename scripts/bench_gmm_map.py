"""The regime map of ``bench_gmm.py --map``: where gmm is faster than scikit-learn, and where not.

Every cell is the time of scikit-learn in float64 divided by ours, in float64 or float32, for the
same work on the same samples from the same start, in one process and by turns. Each problem goes
into ``gmm_regimes.csv`` once it is measured; a call that finds the file goes on with what is
missing, also after Ctrl-C, which draws what there is. Named cells are measured again and replaced.
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import sklearn
import torch
from bench_gmm_data import data, initial
from bench_gmm_map_table import (
    WORKS,
    Cell,
    Problem,
    cell_name,
    read_cells,
    replace_cells,
    write_cells,
)
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


def measure(problem: Problem, names: Sequence[str]) -> Iterator[Cell]:
    """The cells of some works on one problem."""
    works, difference = contestants(problem)
    for work in names:
        theirs, double, single = take_turns(works[work])
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

    def answers(method: str, n_samples: int) -> Contestants:
        theirs, double, single = (
            partial(getattr(mixture, method), rows[:n_samples])
            for mixture, rows in zip(fitted, values, strict=True)
        )
        return theirs, double, single

    works = {
        "fit": fits(equal),
        "score one": answers("score_samples", 1),
        "score all": answers("score_samples", len(x)),
        "predict": answers("predict", len(x)),
    }
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


def draw_map(
    folder: Path,
    threads: int,
    shapes: Sequence[tuple[int, int, int, float]],
    patterns: Sequence[str] = (),
) -> tuple[list[Cell], Path]:
    """Measures what is missing or asked for, and draws all of it.

    Args:
        folder: Where ``gmm_regimes.csv`` is or will be, and ``gmm_regimes.png``.
        threads: Threads of both libraries, for the record.
        shapes: Samples, features, components and spread of each row.
        patterns: Names of cells to measure again, with ``*`` and ``?``; none for what is missing.

    Returns:
        All cells, and the picture.
    """
    from bench_gmm_map_picture import draw  # it reads the types of this file

    folder.mkdir(parents=True, exist_ok=True)
    table, machine = folder / "gmm_regimes.csv", describe_machine(threads)
    cells = read_cells(table, machine)
    problems = [Problem(name, *shape) for shape in shapes for name in TYPES]
    try:
        for problem, names in works_to_do(problems, cells, patterns):
            measured = list(measure(problem, names))
            cells = replace_cells(cells, measured)
            write_cells(table, cells, machine)
            words = (f"{c.work} {c.ratios[0]:.2f} / {c.ratios[1]:.2f}" for c in measured)
            print(f"{problem.covariance_type}, {problem.label}: {'; '.join(words)}", flush=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here")
    header = table.read_text().partition("\n")[0].removeprefix("# ")
    return cells, draw(cells, folder / "gmm_regimes.png", header)


def works_to_do(
    problems: Iterable[Problem], cells: Iterable[Cell], patterns: Sequence[str]
) -> Iterator[tuple[Problem, list[str]]]:
    """Which works of which problems to measure: see :func:`draw_map`."""
    known = {cell.name for cell in cells}
    for problem in problems:
        works = WORKS if problem.n_samples <= MOST_DEFAULT else WORKS[:-1]
        names = {work: cell_name(problem, work) for work in works}
        if patterns:
            wanted = [w for w, name in names.items() if any(fnmatchcase(name, p) for p in patterns)]
        else:
            wanted = [work for work, name in names.items() if name not in known]
        if wanted:
            yield problem, wanted
