"""What `DensityPipeline.fit` holds of ever more images, streamed: peak memory and bytes an image.

The views are as wide as those of the quickstart's network; their rows are made up and arrive some
images at a time, as from a network. Each number of images runs in a process of its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from time import perf_counter

import torch
from torch import Tensor

from cellxai.density import DensityPipeline
from cellxai.density.views import Penultimate, Places
from cellxai.trained.rows import RowSource

WIDTHS = (7, 256, 32, 64, 96, 192, 224, 384, 2560, 256, 3)  # tones to logits
PLACES = (16, 32)  # channels of 32 x 32 places
BANK = 256  # made-up images, each of which returns with another contrast


class MadeUp(RowSource):
    """Rows of many images, made when they are asked for."""

    def __init__(self, n: int, widths: tuple[int, ...]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.n = n
        self.bank = {
            f"v{i}": torch.randn(BANK, f, generator=generator) for i, f in enumerate(widths)
        }
        for channels in PLACES:
            self.bank[f"p{channels}"] = torch.randn(BANK, 32, 32, channels, generator=generator)

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


def peak_of(n: int, widths: tuple[int, ...], n_folds: int) -> dict[str, float]:
    """Peak resident memory of a fit to ``n`` images, in MB, and its time in seconds."""
    source = MadeUp(n, widths)
    views = {
        name: Places(name) if rows.ndim == 4 else Penultimate()
        for name, rows in source.bank.items()
    }
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, perf_counter()
    every = torch.arange(n)
    DensityPipeline(views).fit(source, every % n_folds, every % 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"n": n, "before_mb": before, "peak_mb": peak, "seconds": perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 20_000, 40_000])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        print(json.dumps(peak_of(chosen.images[0], tuple(chosen.widths), chosen.folds)))
        return
    results = []
    for n in chosen.images:
        words = [
            sys.executable,
            __file__,
            "--here",
            "--images",
            str(n),
            "--folds",
            str(chosen.folds),
        ]
        words += ["--widths", *map(str, chosen.widths)]
        answer = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
        results.append(json.loads(answer.stdout))
        print({key: round(value) for key, value in results[-1].items()}, flush=True)
    first, last = results[0], results[-1]
    each = (last["peak_mb"] - first["peak_mb"]) / max(1, last["n"] - first["n"])
    million = last["peak_mb"] + each * (1e6 - last["n"])
    print(f"{each * 2**20:.0f} bytes an image; by a straight line {million:.0f} MB for a million")


if __name__ == "__main__":
    main()
