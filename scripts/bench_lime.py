"""LIME against its package and against the bare forward passes: ``python scripts/bench_lime.py``.

EfficientNetV2-B0 with random weights on an image of 224 px, the same samples for all. The machine's
speed changes while it measures, so the contestants take turns and the median of the ratios counts.
The model is laid out as ``load_run`` lays it out; the package has a row with the same layout and
batch, and one with its defaults: its own batch of 10, torch's layout, glibc's limits.
``--rows`` measures some rows only; a CUDA device is used where there is one, or named by --device.
"""

import argparse
import copy
import ctypes
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import timm
import torch
from torch import Tensor

from cellxai.explain.base import Attribution, Context, Explainer, Model, context_of
from cellxai.explain.baselines import BlurBaseline, gaussian_blur
from cellxai.explain.batch_size import best_batch_size, clock_of
from cellxai.explain.cost import attribute_with_cost, frozen
from cellxai.explain.lime.designs import OrthogonalArray
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.reference import LimeReference
from cellxai.explain.lime.stopping import Stop, jaccard_of_top
from cellxai.explain.superpixel_cache import CachedSuperpixels
from cellxai.explain.superpixels.base import Superpixels
from cellxai.explain.superpixels.methods import Quickshift
from cellxai.training.allocator import keep_freed_memory

SIZE_PX = 224
PACKAGE_BATCH = 10  # the default of its explain_instance
GLIBC_BY_ITSELF = ((-4, 65536), (-3, 32 * 2**20), (-1, 64 * 2**20))  # numbers as malloc.h has them
ADAPTIVE = Stop(top_k=5, jaccard=0.8)
TARGETS = torch.tensor([0])


def image(seed: int) -> Tensor:
    """Blurred noise: about 50 superpixels by quickshift, as many as a picture of cells."""
    noise = torch.rand(1, 3, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(seed))
    blurred = gaussian_blur(noise, 4.0)
    return (blurred - blurred.min()) / (blurred.max() - blurred.min())


def ratios(
    first: Callable[[], object], second: Callable[[], object], repeats: int, device: torch.device
) -> tuple[float, float, float]:
    """Median seconds of both, and the median of second/first, taking turns."""
    times = [(seconds(first, device), seconds(second, device)) for _ in range(repeats)]
    firsts, seconds_ = zip(*times, strict=True)
    quotient = statistics.median(b / a for a, b in times)
    return statistics.median(firsts), statistics.median(seconds_), quotient


def seconds(work: Callable[[], object], device: torch.device) -> float:
    start = clock_of(device)
    work()
    return clock_of(device) - start


def attribute_first_class(
    explainer: Explainer, model: Model, context: Context, images: Tensor
) -> Attribution:
    targets = TARGETS.to(images.device).expand(len(images))
    return attribute_with_cost(explainer, model, images, targets, context)


class Bench:
    """The model, an image and what the options say."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.device = torch.device(options.device)
        self.n_samples, self.repeats = options.samples, options.repeats
        self.plain = timm.create_model("tf_efficientnetv2_b0", num_classes=3).eval()
        self.plain.to(self.device)
        self.model = copy.deepcopy(self.plain)
        if self.device.type == "cpu":
            self.model.to(memory_format=torch.channels_last)
            keep_freed_memory()
        self.image = image(0).to(self.device)
        with frozen(self.model):
            self.batch_size = options.batch or best_batch_size(self.model, self.image)
        self.context = self.contexts(1, Quickshift())

    def contexts(self, n: int, superpixels: Superpixels) -> Context:
        """What is shared by the explainers of n images."""
        images = torch.cat([image(i) for i in range(n)]).to(self.device)
        context = context_of(images, superpixels, BlurBaseline())
        return replace(context, batch_size=self.batch_size)

    def forwards_alone(self) -> None:
        """The model on a batch that is there already, as often as there are samples."""
        batch = self.image.expand(self.batch_size, -1, -1, -1).contiguous()
        with torch.no_grad():
            for _ in range(self.n_samples // self.batch_size):
                self.model(batch)
            if rest := self.n_samples % self.batch_size:
                self.model(batch[:rest])

    def lime(self, bf16: bool = False) -> None:
        """Ours, with the package's samples."""
        attribute_first_class(Lime(self.n_samples, bf16=bf16), self.model, self.context, self.image)

    def package(self) -> None:
        """The package, with the same superpixels and baseline, our batch and layout."""
        lime = LimeReference(self.n_samples)
        attribute_first_class(lime, self.model, self.context, self.image)

    def package_as_it_comes(self) -> None:
        """The package in its own batches, with torch's layout and glibc's limits."""
        if self.device.type == "cpu":
            give_memory_back()
        context = replace(self.context, batch_size=PACKAGE_BATCH)
        attribute_first_class(LimeReference(self.n_samples), self.plain, context, self.image)
        if self.device.type == "cpu":
            keep_freed_memory()


def give_memory_back() -> None:
    """Gives glibc back the limits that ``keep_freed_memory`` changed."""
    libc = ctypes.CDLL(None)
    for parameter, value in GLIBC_BY_ITSELF:
        libc.mallopt(parameter, value)
    libc.malloc_trim(0)


def overhead(bench: Bench) -> str:
    alone, ours, quotient = ratios(bench.forwards_alone, bench.lime, bench.repeats, bench.device)
    return row("Lime / its forwards alone", ours, alone, quotient, "at most 1.10 (CUDA: 1.15)")


def against_the_package(bench: Bench) -> str:
    ours, package, quotient = ratios(bench.lime, bench.package, bench.repeats, bench.device)
    what = "the lime package, our batch and layout / Lime"
    return row(what, package, ours, quotient, "at least 1.25 (CUDA: 20)")


def against_the_package_as_it_comes(bench: Bench) -> str:
    ours, package, quotient = ratios(
        bench.lime, bench.package_as_it_comes, bench.repeats, bench.device
    )
    what = f"the lime package as it comes (batch {PACKAGE_BATCH}) / Lime"
    return row(what, package, ours, quotient, "at least 1.25 (CUDA: 20)")


def bf16(bench: Bench) -> str:
    if bench.device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "| Lime / Lime in bfloat16 | – | – | – | not measured: this CPU has no bfloat16 |"
    mixed = partial(bench.lime, bf16=True)
    mixed_s, single_s, quotient = ratios(mixed, bench.lime, bench.repeats, bench.device)
    return row("Lime / Lime in bfloat16", single_s, mixed_s, quotient, "at least 1.7")


def adaptive(bench: Bench) -> str:
    """With superpixels from the cache, against the package that cuts the image each time."""
    lime = Lime(bench.n_samples, design=OrthogonalArray(), stop=ADAPTIVE)
    with tempfile.TemporaryDirectory() as folder:
        cached = CachedSuperpixels(Quickshift(), Path(folder))
        bench.contexts(1, cached)
        seconds_by = {"ours": 0.0, "package": 0.0}
        tops: dict[str, list[Tensor]] = {"ours": [], "package": []}
        forwards = []
        for seed in range(bench.repeats + 1):
            for name, explainer, superpixels in (
                ("ours", lime, cached), ("package", LimeReference(bench.n_samples), Quickshift()),
            ):  # fmt: skip
                start = clock_of(bench.device)
                context = replace(bench.contexts(1, superpixels), seed=seed)
                attribution = attribute_first_class(explainer, bench.model, context, bench.image)
                seconds_by[name] += clock_of(bench.device) - start
                assert attribution.superpixel_values is not None
                tops[name].append(attribution.superpixel_values[0].double())
                forwards += [attribution.cost.forwards] if name == "ours" else []
    agreement = {name: pairwise_agreement(values) for name, values in tops.items()}
    return row(
        f"the package / adaptive Lime ({statistics.mean(forwards):.0f} forwards), cached",
        seconds_by["package"], seconds_by["ours"],
        seconds_by["package"] / seconds_by["ours"],
        f"at least 3; seed-to-seed Jaccard of the top 5: ours {agreement['ours']:.2f}, "
        f"package {agreement['package']:.2f}",
    )  # fmt: skip


def pairwise_agreement(values: list[Tensor]) -> float:
    pairs = [(a, b) for i, a in enumerate(values) for b in values[:i]]
    return statistics.mean(float(jaccard_of_top(a, b, 5)) for a, b in pairs)


def ten_images(bench: Bench) -> str:
    context = bench.contexts(10, Quickshift())
    images = torch.cat([image(i) for i in range(10)]).to(bench.device)
    lime = Lime(max(bench.n_samples // 10, 2))

    def together() -> None:
        attribute_first_class(lime, bench.model, context, images)

    def one_by_one() -> None:
        for i in range(10):
            single = Context(
                context.superpixels[i : i + 1], context.baseline[i : i + 1], 0, bench.batch_size
            )
            attribute_first_class(lime, bench.model, single, images[i : i + 1])

    apart_s, together_s, quotient = ratios(one_by_one, together, bench.repeats, bench.device)
    return row("ten images at once / one by one", together_s, apart_s, quotient, "at most 1.02")


def memory(bench: Bench) -> str:
    def peak_mib(n_samples: int) -> float:
        lime = Lime(n_samples)
        attribution = attribute_first_class(lime, bench.model, bench.context, bench.image)
        return (attribution.cost.peak_bytes or 0) / 2**20

    few, many = 2 * bench.batch_size, 8 * bench.batch_size
    peak_mib(few)  # what the allocator keeps from now on is not counted again
    few_mib, many_mib = peak_mib(few), peak_mib(many)
    return (
        f"| peak memory of {few} and {many} samples | {few_mib:.0f} MiB | {many_mib:.0f} MiB | "
        f"{many_mib - few_mib:+.0f} MiB | bounded by the batch |"
    )


def row(what: str, numerator_s: float, denominator_s: float, quotient: float, wanted: str) -> str:
    return f"| {what} | {numerator_s:.2f} s | {denominator_s:.2f} s | {quotient:.2f} | {wanted} |"


ROWS: dict[str, Callable[[Bench], str]] = {
    "overhead": overhead, "package": against_the_package,
    "defaults": against_the_package_as_it_comes, "adaptive": adaptive, "ten": ten_images,
    "memory": memory, "bf16": bf16,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, default=None, help="default: measured")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.manual_seed(0)
    start = time.perf_counter()
    bench = Bench(options)
    superpixels = int(bench.context.superpixels.max()) + 1
    print(
        f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads, "
        f"batch {bench.batch_size}, {superpixels} superpixels, N={options.samples}, "
        f"{options.repeats} repeats\n"
    )
    print("| what | first | second | ratio | wanted |\n|---|---|---|---|---|")
    for name in options.rows:
        print(ROWS[name](bench), flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
