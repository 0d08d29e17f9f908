"""What `DensityPipeline.fit` and the verdicts need of ever more images, streamed: memory and time.

python scripts/density_memory.py --images 50000 100000 [--disk FOLDER] [--limit-mb 1024] [--peer]
cost: 3 min on one CPU core for both; expect: bytes an image, and the peak for a million

Rows of all views of a small network are made up and arrive some images at a time, as from a
network, or lie in a file (`--disk`), from which each image is read when it is asked for. Each
number of images runs in a process of its own, which reports its peak of resident memory. `--peer`
fits and scores scikit-learn's PCA and one mixture on the penultimate features alone, in memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import process_time

import numpy as np
import torch
from torch import Tensor

from cellxai.density import DensityPipeline
from cellxai.density.densities import NearestClass
from cellxai.density.views import Penultimate, Places
from cellxai.trained.rows import RowSource

SMALL = (7, 256, 32, 48, 64, 96, 128, 128, 3)  # tones to logits; the last but one is penultimate
SMALL_SIDE, SMALL_CHANNELS = 8, (8, 12)  # of the views of places
BANK = 256  # made-up images, each of which returns with another contrast
PEER_AXES, PEER_COMPONENTS, PEER_STEPS = 32, 16, 20  # as in bench_density.py
AT_ONCE = 4096
N_NEW = 20  # new images that are judged


class MadeUp(RowSource):
    """Rows of many images, made when they are asked for."""

    def __init__(self, n: int, widths: tuple[int, ...], channels: tuple[int, ...]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.n = n
        self.bank = {
            f"v{i}": torch.randn(BANK, f, generator=generator) for i, f in enumerate(widths)
        }
        for c in channels:
            self.bank[f"p{c}"] = torch.randn(BANK, SMALL_SIDE, SMALL_SIDE, c, generator=generator)

    def __len__(self) -> int:
        return self.n

    def of(self, images: Tensor) -> dict[str, Tensor]:
        """See :meth:`RowSource.of`."""
        contrast = 1 + (images * 0.618034 % 1)
        rows = {}
        for name, bank in self.bank.items():
            factor = contrast.reshape(-1, *[1] * (bank.ndim - 1)).float()
            rows[name] = bank[images % BANK].mul_(factor)
            if bank.ndim == 2:  # so that rows are not all multiples of the bank's
                rows[name] += bank[(images // BANK + 7) % BANK]
        return rows


class OnDisk(RowSource):
    """Rows in a file, those of all views of an image one after another; nothing is held.

    Args:
        path: The file; written from ``source`` unless it is there in its size.
        source: What it holds.
    """

    def __init__(self, path: Path, source: MadeUp) -> None:
        self.n, self.shapes = len(source), {name: b.shape[1:] for name, b in source.bank.items()}
        self.n_numbers = sum(shape.numel() for shape in self.shapes.values())
        if not path.exists() or path.stat().st_size != 4 * self.n_numbers * self.n:
            with path.open("wb") as file:
                for images in torch.arange(self.n).split(AT_ONCE):
                    parts = [rows.flatten(1) for rows in source.of(images).values()]
                    torch.cat(parts, 1).numpy().tofile(file)
        self.file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return self.n

    def records(self, images: Tensor) -> Tensor:
        """All numbers of some images."""
        size = 4 * self.n_numbers
        read = bytearray(b"".join(os.pread(self.file, size, size * i) for i in images.tolist()))
        return torch.frombuffer(read, dtype=torch.float32).reshape(len(images), -1)

    def of(self, images: Tensor) -> dict[str, Tensor]:
        """See :meth:`RowSource.of`."""
        parts = self.records(images).split([s.numel() for s in self.shapes.values()], 1)
        shapes = self.shapes.items()
        return {name: p.reshape(-1, *s) for (name, s), p in zip(shapes, parts, strict=True)}


def views_of(shapes: Mapping[str, torch.Size]) -> dict[str, Penultimate | Places]:
    """The views: a Gaussian each, of each class in the later half, as by default."""
    late = [name for name, shape in shapes.items() if len(shape) == 1][len(SMALL) // 2 : -1]
    return {
        name: Places(name)
        if len(shape) == 3
        else Penultimate(NearestClass())
        if name in late
        else Penultimate()
        for name, shape in shapes.items()
    }


def peak_mb() -> float:
    """Peak resident memory of this process, in MB, as Linux reports it."""
    (line,) = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return int(line.split()[1]) / 1024


def measure(n: int, chosen: argparse.Namespace) -> dict[str, float]:
    """Fits ``n`` images and judges them and some new ones: MB, and seconds of CPU time."""
    made = MadeUp(n, tuple(chosen.widths), tuple(chosen.channels))
    source = OnDisk(chosen.disk / f"{n}.rows", made) if chosen.disk else made
    shapes = {name: bank.shape[1:] for name, bank in made.bank.items()}
    torch.set_num_threads(1)
    if chosen.limit_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (chosen.limit_mb << 20,) * 2)
    before, start = peak_mb(), process_time()
    every = torch.arange(n)
    pipeline = DensityPipeline(views_of(shapes)).fit(source, every % chosen.folds, every % 3)
    fitted, fit_mb = process_time(), peak_mb()
    flagged = float(pipeline.judge_known().flagged.double().mean())
    judged = process_time()
    pipeline.judge(made.of(torch.arange(n, n + N_NEW)))
    return {
        "n": n, "before_mb": before, "fit_mb": fit_mb, "peak_mb": peak_mb(),
        "fit_s": fitted - start, "judge_s": judged - fitted, "flagged_percent": 100 * flagged,
        "ms_for_a_new_image": 1000 * (process_time() - judged) / N_NEW,
    }  # fmt: skip


def measure_peer(n: int, chosen: argparse.Namespace) -> dict[str, float]:
    """scikit-learn on the penultimate features alone, in float32 and in memory."""
    from sklearn.decomposition import PCA  # not above: it would count in the memory of ours
    from sklearn.mixture import GaussianMixture

    made = MadeUp(n, tuple(chosen.widths), tuple(chosen.channels))
    penultimate = list(made.bank)[len(chosen.widths) - 2]
    parts = [made.of(images)[penultimate].numpy() for images in torch.arange(n).split(AT_ONCE)]
    features = np.concatenate(parts)
    start = process_time()
    points = PCA(PEER_AXES, svd_solver="covariance_eigh").fit_transform(features)
    mixture = GaussianMixture(PEER_COMPONENTS, max_iter=PEER_STEPS, tol=1e-2, random_state=0)
    mixture.fit(points).score_samples(points)
    return {"n": n, "peer_mb": peak_mb(), "peer_s": process_time() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 20_000, 40_000])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--widths", type=int, nargs="+", default=list(SMALL))
    parser.add_argument("--channels", type=int, nargs="*", default=list(SMALL_CHANNELS))
    parser.add_argument("--disk", type=Path, help="folder for the rows, kept: 9 KB an image")
    parser.add_argument("--limit-mb", type=int, help="of private memory: more is refused")
    parser.add_argument("--peer", action="store_true", help="scikit-learn instead")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        judge = measure_peer if chosen.peer else measure
        print(json.dumps(judge(chosen.images[0], chosen)))
        return
    results = [run_in_a_process(n) for n in chosen.images]
    first, last = results[0], results[-1]
    key = "peer_mb" if chosen.peer else "peak_mb"
    each = (last[key] - first[key]) / max(1, last["n"] - first["n"])
    million = last[key] + each * (1e6 - last["n"])
    print(f"{each * 2**20:.0f} bytes an image; by a straight line {million:.0f} MB for a million")


def run_in_a_process(n: int) -> dict[str, float]:
    """Runs this script with the same words for one number of images, and prints what it says."""
    words = [sys.executable, __file__, *sys.argv[1:], "--here", "--images", str(n)]
    answer = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(answer.stdout)
    print({key: round(value, 1) for key, value in found.items()}, flush=True)
    return found


if __name__ == "__main__":
    main()
