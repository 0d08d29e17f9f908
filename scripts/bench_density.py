"""A million feature vectors through the density, in chunks: rate and memory beside scikit-learn.

python scripts/bench_density.py [--n 1000000] [--threads 2]
cost: 90 s of 2 CPU cores; expect: ours below 1 GB, and 1.2 times as fast as scikit-learn in float32

All score the same features, drawn chunk by chunk from a seed, with the same parameters: principal
axes and a full-covariance mixture that scikit-learn fitted. scikit-learn scores in the precision of
its features, axes and means, which is float64 unless all are converted to float32; both are
measured. Each scorer runs in a process of its own, which reports its peak of resident memory.
Drawing the features is not timed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_limits

from cellxai.density.densities.mixture import FittedMixture
from cellxai.density.projection import Projection
from gmm.estimator import GaussianMixture
from gmm.interchange import from_sklearn

WIDTH, N_LATENT, N_FITTED = 1280, 32, 20_000
CHUNK = 8192  # rows: 42 MB of features
N_PEER = 200_000  # most features that scikit-learn scores: its rate does not depend on the number
Score = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--components", type=int, default=16)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", choices=SCORERS, help="run one scorer, in this process")
    parser.add_argument("--parameters", type=Path, help="file of the fit; made if missing")
    chosen = parser.parse_args()
    if chosen.only:
        print(json.dumps(measure(chosen.only, chosen.parameters, chosen.n, chosen.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        parameters = chosen.parameters or Path(folder) / "parameters.safetensors"
        if not parameters.exists():
            fit(parameters, chosen.components)
        words = ["--threads", chosen.threads, "--parameters", parameters]
        rows = {
            name: run_in_a_process([*words, "--n", count_features(name, chosen.n), "--only", name])
            for name in SCORERS
        }
    print(table(rows, chosen.n, chosen.components, chosen.threads))


def count_features(name: str, n: int) -> int:
    """Number of features that a scorer is given."""
    return n if SCORERS[name][0] is our_scorer else min(n, N_PEER)


def chunks(n: int) -> Iterator[np.ndarray]:
    """The same features in every process: clusters in a few dimensions, and noise in all."""
    axes = np.random.default_rng(0).standard_normal((N_LATENT, WIDTH), np.float32)
    for number, start in enumerate(range(0, n, CHUNK)):
        random = np.random.default_rng([1, number])
        rows = min(CHUNK, n - start)
        cluster = random.integers(0, 6, (rows, 1)) - 2.5
        latent = random.standard_normal((rows, N_LATENT), np.float32) + np.float32(cluster)
        features = random.standard_normal((rows, WIDTH), np.float32)
        with threadpool_limits(
            1, "blas"
        ):  # its idle threads keep spinning, and torch's wait for a core
            features += latent @ axes
        yield features
        del features  # before the next one is drawn


def fit(path: Path, n_components: int) -> None:
    """Principal axes and a mixture of the first features, as plain arrays."""
    features = np.concatenate(list(chunks(N_FITTED)))
    pca = PCA(N_LATENT, svd_solver="covariance_eigh").fit(features)
    points = pca.transform(features)
    mixture = Reference(n_components, random_state=0, max_iter=20, tol=1e-2).fit(points)
    learned = {
        "mean": pca.mean_, "axes": pca.components_, "weights": mixture.weights_,
        "means": mixture.means_, "covariances": mixture.covariances_,
        "cholesky": mixture.precisions_cholesky_,
    }  # fmt: skip
    save_file({name: np.ascontiguousarray(values) for name, values in learned.items()}, path)


def reference_mixture(saved: dict[str, np.ndarray]) -> Reference:
    """scikit-learn's mixture with the saved parameters."""
    mixture = Reference(len(saved["weights"]))
    mixture.weights_, mixture.means_ = saved["weights"], saved["means"]
    mixture.covariances_ = saved["covariances"]
    mixture.precisions_cholesky_ = saved["cholesky"]
    mixture.converged_, mixture.n_iter_, mixture.lower_bound_ = True, 1, 0.0
    vars(mixture)["n_features_in_"] = saved["means"].shape[1]
    return mixture


def peer_scorer(saved: dict[str, np.ndarray], dtype: type[np.floating]) -> Score:
    """PCA and GaussianMixture of scikit-learn, called as its pipeline does."""
    saved = {name: values.astype(dtype) for name, values in saved.items()}
    pca = PCA(N_LATENT)
    pca.mean_, pca.components_, pca.whiten = saved["mean"], saved["axes"], False
    pca.n_components_, vars(pca)["n_features_in_"] = saved["axes"].shape
    pca.explained_variance_ = np.ones(N_LATENT, saved["axes"].dtype)
    mixture = reference_mixture(saved)
    return lambda features: mixture.score_samples(pca.transform(features))


def our_scorer(saved: dict[str, np.ndarray]) -> Score:
    """The projection and the mixture of ``Mixture``."""
    mixture: GaussianMixture = from_sklearn(reference_mixture(saved))
    mean, axes = torch.from_numpy(saved["mean"]), torch.from_numpy(saved["axes"])
    projection = Projection(mean.double(), torch.ones(WIDTH).double(), axes.double())
    fitted = FittedMixture(projection, (mixture,), torch.zeros(1), None, 1)
    return lambda features: fitted.log_density(torch.from_numpy(features)).numpy()


SCORERS: dict[str, tuple[Callable[[dict[str, np.ndarray]], Score], type[np.floating]]] = {
    "cellxai f32": (our_scorer, np.float32),
    "scikit-learn f32": (partial(peer_scorer, dtype=np.float32), np.float32),
    "scikit-learn f64": (partial(peer_scorer, dtype=np.float64), np.float64),
}


def measure(name: str, parameters: Path, n: int, threads: int) -> dict[str, float]:
    """Seconds of scoring, peak memory of this process, and the first score."""
    torch.set_num_threads(threads)
    with threadpool_limits(threads), torch.no_grad():
        make, dtype = SCORERS[name]
        score = make(load_file(parameters))
        score(next(chunks(CHUNK)).astype(dtype))  # the setup of the first call is not timed
        seconds, first = 0.0, 0.0
        for number, drawn in enumerate(chunks(n)):
            features = drawn.astype(dtype, copy=False)
            start = time.perf_counter()
            nats = score(features)
            seconds += time.perf_counter() - start
            del drawn, features
            first = float(nats[0]) if number == 0 else first
    return {"n": n, "seconds": seconds, "peak_bytes": peak_bytes(), "first_nats": first}


def peak_bytes() -> int:
    """Peak resident memory of this process so far, as Linux reports it.

    Not from `getrusage`, whose figure is at least that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def run_in_a_process(words: list[object]) -> dict[str, float]:
    """Runs this script with some words and returns what it prints."""
    command = [sys.executable, __file__, *map(str, words)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def rate(row: dict[str, float]) -> float:
    """Features per second."""
    return row["n"] / row["seconds"]


def table(rows: dict[str, dict[str, float]], n: int, n_components: int, threads: int) -> str:
    """The figures as Markdown."""
    lines = [
        f"{n:,} features of {WIDTH} dimensions in chunks of {CHUNK}, {N_LATENT} principal "
        f"axes, {n_components} full components, {threads} threads",
        "",
        "| | features | seconds | features/s | ours is faster by | peak memory | the first |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['n']:,} | {row['seconds']:.2f} | {rate(row):,.0f} | "
        f"{rate(rows['cellxai f32']) / rate(row):.1f} | "
        f"{row['peak_bytes'] / 1e6:.0f} MB | {row['first_nats']:.4f} nats |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
