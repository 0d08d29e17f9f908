"""gmm against scikit-learn, measured in one run: ``python scripts/bench_gmm.py [--threads 2]``.

Both start from the same parameters and do the same number of iterations wherever the table has a
|Δ|: the difference of the mean log densities that they reach, in nats per sample. The other rows
choose their own starts. ``--rows`` measures some rows only; ``--peers PYTHON`` also runs gmmx and
pomegranate in float32 with the interpreter of another environment; a CUDA device adds its own rows.
``--map FOLDER`` measures small and large problems of every type instead, and draws them; what is in
the table of that folder is not measured again, but for the ``--cells`` whose names match a pattern,
such as ``--cells "diag, 300 *" "*: predict"``. ``--quick`` is that on tiny samples.
"""

import argparse
import json
import platform
import subprocess
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import sklearn
import torch
from bench_gmm_cuda import cuda_rows
from bench_gmm_data import data, initial
from bench_gmm_map import QUICK, SHAPES, draw_map
from bench_gmm_map_table import worst_lines
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_limits

from gmm.covariance import COVARIANCES
from gmm.em import loop
from gmm.em.likelihood import Likelihood
from gmm.em.parameters import Parameters
from gmm.estimator import GaussianMixture
from gmm.options import CovarianceType
from gmm.samples.in_memory import InMemory
from gmm.selection import sweep

REPEATS = 3  # the fastest counts: what else the machine does can only slow a run down
LONG_S = 10.0  # what takes longer is not repeated
TYPES = ("full", "tied", "diag", "spherical")
SINGLE = {"dtype": "float32"}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        work: What was done.
        theirs: Seconds of scikit-learn in float64.
        ours: Seconds of ours, in float64 and, where it is asked for, in float32.
        least: How many times as fast it is to be at least.
        differences: Of the mean log density, likewise; None where starts differ.
        note: What else was measured.
    """

    work: str
    theirs: float
    ours: tuple[float, ...]
    least: str
    differences: tuple[float, ...] | None = None
    note: str = ""

    def __str__(self) -> str:
        """The line, in Markdown."""
        ratios = " / ".join(f"{self.theirs / seconds:.1f}" for seconds in self.ours)
        seconds = " / ".join(f"{each:.3f}" for each in self.ours)
        agreement = " / ".join(f"{each:.0e}" for each in self.differences or ()) or self.note
        cells = (self.work, f"{self.theirs:.3f}", seconds, ratios, self.least, agreement)
        return f"| {' | '.join(cells)} |"


def fastest(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest repetition, and what the last one returned."""
    seconds, result = [], None
    while len(seconds) < REPEATS and sum(seconds) < LONG_S:
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return min(seconds), result


def fit_row(name: CovarianceType, iterations: int, least: str, n_samples: int = 100_000) -> Row:
    """One fit of 32 features and 16 components, from the same start."""
    x = data(n_samples, 32, 16)
    settings = {"covariance_type": name, "tol": 0.0, "max_iter": iterations, **initial(x, name, 0)}
    theirs, reference = fastest(lambda: Reference(16, **settings).fit(x))
    ours, double = fastest(lambda: GaussianMixture(16, **settings).fit(x))
    faster, single = fastest(lambda: GaussianMixture(16, **SINGLE, **settings).fit(x))
    differences = [abs(fit.lower_bound_ - reference.lower_bound_) for fit in (double, single)]
    work = f"{name}, {n_samples:.0e} × 32, K=16, {iterations} iterations"
    return Row(work, theirs, (ours, faster), least, tuple(differences))


def restarts_row(n_samples: int = 20_000, iterations: int = 10) -> Row:
    """Ten restarts, full, EM only, from the same starts."""
    x, covariance = data(n_samples, 32, 16), COVARIANCES["full"]
    starts = [initial(x, "full", seed) for seed in range(10)]
    settings = {"tol": 0.0, "max_iter": iterations}
    theirs, fits = fastest(lambda: [Reference(16, **settings, **each).fit(x) for each in starts])
    found = [GaussianMixture(16, max_iter=0, **each).fit(x).parameters_ for each in starts]
    fields = ("weights", "means", "precisions_cholesky")
    start = Parameters(*(torch.cat([getattr(each, name) for each in found]) for name in fields))

    def ours(dtype: torch.dtype) -> loop.Runs:
        samples, objective = InMemory(torch.from_numpy(x).to(dtype)), Likelihood(covariance, 1e-6)
        return loop.run(samples, start, torch.ones(10, dtype=torch.bool), objective, **settings)

    timed = [fastest(partial(ours, dtype)) for dtype in (torch.float64, torch.float32)]
    best = max(fit.lower_bound_ for fit in fits)
    differences = [abs(runs.best().lower_bound - best) for _, runs in timed]
    work = f"ten restarts in a batch, full, {n_samples:.0e} × 32, K=16, {iterations} iterations"
    return Row(work, theirs, tuple(s for s, _ in timed), "12 / 22", tuple(differences))


def n_init_row(n_samples: int = 20_000) -> Row:
    """Ten restarts with their k-means; each library draws its own seeds."""
    x = data(n_samples, 16, 8)
    settings: dict[str, Any] = {"n_init": 10, "random_state": 0}
    theirs, reference = fastest(lambda: Reference(8, **settings).fit(x))
    ours, mixture = fastest(lambda: GaussianMixture(8, **settings).fit(x))
    gain = mixture.lower_bound_ - reference.lower_bound_
    work = f"n_init=10 with k-means, full, {n_samples:.0e} × 16, K=8"
    return Row(work, theirs, (ours,), "8", note=f"best bound {gain:+.1e}")


def sweep_row(n_init: int = 10) -> Row:
    """The notebook's sweep over components and shapes."""
    x = lesson()

    def theirs() -> float:
        pairs = [(k, name) for k in range(1, 11) for name in TYPES]
        fits = (
            Reference(k, covariance_type=name, n_init=n_init, random_state=0) for k, name in pairs
        )
        return min(fit.fit(x).bic(x) for fit in fits)

    seconds, bic = fastest(theirs)
    ours, found = fastest(lambda: sweep(x, range(1, 11), TYPES, n_init=n_init))
    work = f"sweep, 10 K × 4 types × n_init {n_init}, 1250 × 2"
    return Row(work, seconds, (ours,), "6", note=f"best BIC {found.best.bic - bic:+.2f}")


def scoring_row(n_samples: int = 1_000_000) -> Row:
    """Log densities of many samples under 16 full components, and the memory they take."""
    x = data(n_samples, 32, 16)
    settings = {"max_iter": 2, "tol": 0.0, **initial(x[:5000], "full", 0)}
    reference = Reference(16, **settings).fit(x[:5000])
    mixture = GaussianMixture(16, **settings).fit(x[:5000])
    extra, found = extra_memory(lambda: mixture.score_samples(x))
    theirs, expected = fastest(lambda: reference.score_samples(x))
    ours, _ = fastest(lambda: mixture.score_samples(x))
    narrow = x.astype(np.float32)
    single, found_single = fastest(lambda: mixture.score_samples(narrow))
    means = [float(each.mean(dtype=np.float64)) for each in (expected, found, found_single)]
    differences = [abs(mean - means[0]) for mean in means[1:]]
    work = f"score_samples, {n_samples:.0e} × 32, K=16 full; {extra - found.nbytes / 2**20:.0f} MiB"
    return Row(work, theirs, (ours, single), "6 / 10", tuple(differences))


def tiny_row() -> Row:
    """One fit that is all overhead."""
    x = lesson()
    theirs, reference = fastest(lambda: [Reference(3, random_state=0).fit(x) for _ in range(20)])
    ours, found = fastest(lambda: [GaussianMixture(3, random_state=0).fit(x) for _ in range(20)])
    iterations = f"{found[0].n_iter_} and {reference[0].n_iter_} iterations"
    return Row("fit, 1250 × 2, K=3", theirs / 20, (ours / 20,), "1", note=iterations)


def lesson() -> np.ndarray:
    """Samples of the size of the mixtures lesson: three clusters, one of them narrow."""
    random = np.random.default_rng(0)
    clusters = ((500, (-2, 0), 1.0), (500, (2, 1), 0.7), (250, (0, 4), 0.4))
    return np.concatenate([random.normal(at, wide, (count, 2)) for count, at, wide in clusters])


def extra_memory(work: Callable[[], Any]) -> tuple[float, Any]:
    """MiB by which the peak of the resident memory grows, and what the work returned."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak_mib()
    result = work()
    return peak_mib() - before, result


def peak_mib() -> float:
    """Peak of the resident memory."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def peer_lines(python: str, threads: int) -> list[str]:
    """Seconds per iteration of gmmx and pomegranate, and of ours, all in float32."""
    x, lines = data(100_000, 32, 16).astype(np.float32), []
    with TemporaryDirectory() as folder:
        for name in ("full", "diag"):
            start = initial(x.astype(np.float64), name, 0)
            np.savez(Path(folder) / f"{name}.npz", x=x, **start)
            settings = {"covariance_type": name, "tol": 0.0, "max_iter": 10, **start}
            seconds, fit = fastest(partial(GaussianMixture(16, **settings).fit, x))
            lines.append(f"{name}: gmm {seconds / 10:.4f} s an iteration, {fit.lower_bound_:.6f}")
            command = [python, str(Path(__file__).with_name("bench_gmm_peers.py"))]
            command += [str(Path(folder) / f"{name}.npz"), name, str(threads)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            for peer, result in json.loads(ran.stdout or "{}").items():
                lines.append(f"{name}: {peer} {result}")
            if ran.returncode:
                lines.append(f"{name}: {ran.stderr.strip().splitlines()[-1]}")
    return lines


ROWS: dict[str, Callable[[], Row]] = {
    "full": partial(fit_row, "full", 20, "4 / 7"),
    "diag": partial(fit_row, "diag", 10, "3 / 5"),
    "tied": partial(fit_row, "tied", 10, "10 / 18"),
    "spherical": partial(fit_row, "spherical", 10, "3 / 5"),
    "restarts": restarts_row,
    "n_init": n_init_row,
    "sweep": sweep_row,
    "scoring": scoring_row,
    "tiny": tiny_row,
}


def print_map(folder: Path, threads: int, patterns: list[str], *, quick: bool) -> None:
    """Draws the map of regimes and prints its worst cells."""
    cells, picture = draw_map(folder, threads, QUICK if quick else SHAPES, patterns)
    print("the worst cells:", *worst_lines(cells), f"written: {picture}", sep="\n")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter with gmmx and pomegranate")
    parser.add_argument("--map", metavar="FOLDER", type=Path, help="draw the map of regimes there")
    parser.add_argument("--cells", nargs="+", default=[], help="cells of the map to measure again")
    parser.add_argument("--quick", action="store_true", help="the map of tiny samples alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.map:
        with threadpool_limits(options.threads):
            print_map(options.map, options.threads, options.cells, quick=options.quick)
        return
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}\n"
    )
    print("| work | scikit-learn f64, s | gmm f64 / f32, s | times as fast | at least | \\|Δ\\| |")
    print("|---|---|---|---|---|---|")
    with threadpool_limits(options.threads):
        for name in options.rows:
            print(ROWS[name](), flush=True)
    for line in peer_lines(options.peers, options.threads) if options.peers else []:
        print(line)
    for line in cuda_rows() if torch.cuda.is_available() else ["no CUDA device: not measured"]:
        print(line)


if __name__ == "__main__":
    main()
