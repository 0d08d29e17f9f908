"""Training against its peers on the same files, in one run: ``python scripts/bench_train.py``.

Synthetic images of 520 × 704 pixels, a folder per class, are read by all. Peer and ours take turns,
because a virtual machine changes its speed from one second to the next; the table has the median of
each in ms an image, and the median of the ratios of the turns. ``--rows`` measures some rows only;
``--timm-train FILE`` is timm's own train script from a checkout of its repository, as its wheel has
none; a CUDA device adds its own rows. What is not measured is said to be.
"""

import argparse
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import albumentations
import cv2
import lightning
import timm
import torch
from bench_train_cuda import cuda_lines
from bench_train_ours import (
    FAST,
    bare_step_seconds,
    frozen_epochs,
    loader_seconds,
    our_seconds,
    prepared_images,
    write_images,
)
from bench_train_peers import naive_seconds, plain_seconds, timm_seconds

from cellxai.data.loading.settings import LoadingSettings
from cellxai.training.settings import TrainingSettings

SIDE = 224
N_IMAGES = 96
N_FROZEN = 384
BACKBONE = "tf_efficientnetv2_b0"
TINY, TINY_SIDE, TINY_BATCH = "test_efficientnet", 32, 2  # a step of it is all overhead
Timed = Callable[[], float]  # seconds an image


@dataclass(frozen=True)
class Bench:
    """What the rows share.

    Args:
        folder: What is written lies here.
        images: ``<class>/*.png`` for everyone.
        rounds: How often peer and ours take turns.
        timm_train: timm's train script; ``None`` without.
    """

    folder: Path
    images: Path
    rounds: int
    timm_train: Path | None
    runs: Iterable[int] = field(default_factory=count)

    def turns(self, work: str, least: float, peer: Timed, ours: Timed) -> str:
        """A line of the table: both measured in turns."""
        pairs = [(peer(), ours()) for _ in range(self.rounds)]
        theirs, own = (median(column) * 1e3 for column in zip(*pairs, strict=True))
        ratio = median(first / second for first, second in pairs)
        return f"| {work} | {theirs:.2f} | {own:.2f} | {ratio:.2f} | {least:g} |"

    def loading(self, pipeline: str) -> LoadingSettings:
        """From a cache, which the first turn fills."""
        return LoadingSettings(cache=self.folder / "cache", pipeline=pipeline)  # pyright: ignore

    def epoch(self, training: TrainingSettings = FAST) -> Timed:
        """An epoch of ``cellxai fit``, each in a new run folder."""
        loading, runs = self.loading("albumentations"), iter(self.runs)
        return lambda: our_seconds(
            self.images, self.folder / "runs" / f"{next(runs)}", SIDE, BACKBONE, training, loading
        )

    def plain(self) -> float:
        """An epoch of a plain Lightning loop."""
        return plain_seconds(self.images, SIDE, BACKBONE)


def data_rows(bench: Bench) -> Iterable[str]:
    """The data path alone, on one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for pipeline in ("albumentations", "tensor"):
        images = prepared_images(bench.images, SIDE, FAST.batch_size, bench.loading(pipeline))
        yield bench.turns(
            f"data path, {pipeline}, one thread; peer: naive pipeline",
            40,
            lambda: naive_seconds(bench.images, SIDE),
            lambda images=images: loader_seconds(images),
        )
    torch.set_num_threads(n_threads)
    cv2.setNumThreads(n_threads)


def epoch_rows(bench: Bench) -> Iterable[str]:
    """Training from end to end in single precision."""
    bench.epoch()()  # fills the cache
    yield bench.turns(
        f"{BACKBONE}, fp32, batch {FAST.batch_size}; peer: plain Lightning, batch 8",
        1.4,
        bench.plain,
        bench.epoch(),
    )


def bf16_rows(bench: Bench) -> Iterable[str]:
    """Training in half precision, where the CPU has it."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        yield "bf16 on the CPU: not measured, this one has no instructions for it"
        return
    yield bench.turns(
        f"{BACKBONE}, bf16; peer: plain Lightning, fp32, batch 8",
        1.9,
        bench.plain,
        bench.epoch(replace(FAST, precision="bf16-mixed")),
    )


def timm_rows(bench: Bench) -> Iterable[str]:
    """Training against timm's own script, at equal precision and batch, without its validation."""
    script = bench.timm_train
    if script is None:
        yield "timm's train script: not measured, pass --timm-train FILE"
        return
    words = ("--device", "cpu", "--workers", "0")
    yield bench.turns(
        f"{BACKBONE}, fp32, batch {FAST.batch_size}; peer: timm's train script",
        1,
        lambda: timm_seconds(script, bench.images, BACKBONE, SIDE, FAST.batch_size, words),
        bench.epoch(),
    )


def overhead_rows(bench: Bench) -> Iterable[str]:
    """What Lightning and our callbacks add to a step, as a share of a step of the large network."""
    tiny = replace(FAST, batch_size=TINY_BATCH)
    loading, runs = bench.loading("albumentations"), iter(bench.runs)
    images = prepared_images(bench.images, TINY_SIDE, TINY_BATCH, loading)
    added = [
        TINY_BATCH
        * our_seconds(bench.images, bench.folder / f"{next(runs)}", TINY_SIDE, TINY, tiny, loading)
        - bare_step_seconds(images, TINY)
        for _ in range(bench.rounds)
    ]
    whole = prepared_images(bench.images, SIDE, FAST.batch_size, loading)
    step = bare_step_seconds(whole, BACKBONE)
    yield (
        f"Lightning and our callbacks: {median(added) * 1e3:.1f} ms a step beside a bare loop, "
        f"{median(added) / step:.2%} of the {step * 1e3:.0f} ms of a step of {BACKBONE} "
        f"with {FAST.batch_size} images (at most 1 %)"
    )


def frozen_rows(bench: Bench) -> Iterable[str]:
    """Epochs of a frozen backbone: what a step costs by itself shows where images are many."""
    loading, runs = bench.loading("albumentations"), iter(bench.runs)
    images = write_images(bench.folder / "many", N_FROZEN)
    prepared_images(images, SIDE, FAST.batch_size, loading)  # fills the cache
    pairs = [
        frozen_epochs(images, bench.folder / f"{next(runs)}", SIDE, BACKBONE, loading)
        for _ in range(bench.rounds)
    ]
    first, later = (median(column) for column in zip(*pairs, strict=True))
    share = median(later / first for first, later in pairs)
    yield (
        f"frozen backbone, {N_FROZEN} images, batch {FAST.batch_size}: {first:.2f} s to the end of "
        f"the first epoch, a later one {later * 1e3:.0f} ms, {share:.1%} of the first (at most 2 %)"
    )


ROWS: dict[str, Callable[[Bench], Iterable[str]]] = {
    "data": data_rows,
    "epoch": epoch_rows,
    "bf16": bf16_rows,
    "timm": timm_rows,
    "overhead": overhead_rows,
    "frozen": frozen_rows,
    "cuda": lambda bench: cuda_lines(bench.images, bench.folder, BACKBONE, SIDE, bench.timm_train),
}


def main() -> None:
    """Prints the table, then what is not a ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", nargs="*", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3, help="turns of peer and ours")
    parser.add_argument("--timm-train", type=Path, metavar="FILE", help="timm's train.py")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{platform.machine()}, {options.threads} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, lightning {lightning.__version__}, timm {timm.__version__}, "
        f"albumentations {albumentations.__version__}\n"
    )
    print("| work | peer, ms an image | ours, ms an image | times as fast | at least |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as folder:
        images = write_images(Path(folder), N_IMAGES)
        bench = Bench(Path(folder), images, options.rounds, options.timm_train)
        for name in options.rows:
            for line in ROWS[name](bench):
                print(line, flush=True)


if __name__ == "__main__":
    main()
