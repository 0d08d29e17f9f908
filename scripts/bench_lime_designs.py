"""How many forwards LIME needs: designs against plain LIME on a trained run.

python scripts/bench_lime_designs.py [--run RUN] [--images N] [--out FOLDER]
cost: 22 minutes of one CPU core for 20 images of 128 px; expect: two tables and a picture

A pool of antithetic pairs serves every design that is a selection from it: the first halves are
plain LIME, sizes are stratified and locality is drawn by choosing rows. The reference of a draw is
plain LIME's surrogate on the rest of the pool, so that the two share no sample. Arrays are
evaluated separately. What is evaluated is kept in the folder and not computed again.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cellxai.adapters.explained_images import Subject, choose_subjects
from cellxai.explain.base import Model, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.cost import frozen
from cellxai.explain.lime.designs import Antithetic, OrthogonalArray, size_probabilities
from cellxai.explain.lime.stopping import jaccard_of_top, ranking_stability
from cellxai.explain.lime.surrogate import (
    Evaluations,
    Surrogate,
    fit_surrogate,
    locality_weights,
)
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.superpixels.methods import Slic
from cellxai.figures.colours import SERIES
from cellxai.figures.style import drawing
from cellxai.trained.run import load_run

POOL = 3328
SEEDS = 3  # of arrays
ROUNDS = 3  # of each array
KERNEL_WIDTH = 0.25
TOP = 5
COUNTS = (48, 96, 128, 192, 256, 288, 384, 480, 512, 768, 1000)
DRAWS = 6  # from the pool, of each count; fewer where they would overlap


@dataclass(frozen=True)
class Evaluated:
    """All forwards of one image.

    Args:
        pool: Masks: the whole image, then antithetic pairs.
        pool_scores: Their target logits.
        arrays: Masks of one array per seed, each after the whole image.
        array_scores: Their target logits.
    """

    pool: Tensor
    pool_scores: Tensor
    arrays: Tensor
    array_scores: Tensor

    @property
    def kernel(self) -> Tensor:
        """Weight of a sample by the number of superpixels that it shows."""
        return locality_weights(self.pool.shape[1], KERNEL_WIDTH)


def evaluate(model: Model, subject: Subject, seed: int) -> Evaluated:
    context = context_of(subject.image, Slic(), BlurBaseline())
    n_superpixels = int(context.superpixels.max()) + 1
    weights = locality_weights(n_superpixels, KERNEL_WIDTH)
    pool = Antithetic().masks(POOL + 1, weights, seed)
    n_array = 1 + ROUNDS * OrthogonalArray().round_size(n_superpixels)
    seeds = range(seed, seed + SEEDS)
    arrays = torch.stack([OrthogonalArray().masks(n_array, weights, s) for s in seeds])
    masks = torch.cat([pool, arrays.flatten(0, 1)])
    owners, column = torch.zeros(len(masks), dtype=torch.long), torch.tensor([[subject.target]])
    scores = perturbed_scores(model, subject.image, context, owners, masks, column)[:, 0]
    return Evaluated(pool, scores[: len(pool)], arrays, scores[len(pool) :].view(arrays.shape[:2]))


def evaluate_run(run: Path, n_images: int, folder: Path) -> Iterator[Evaluated]:
    """Evaluates the first images of each class in turn; those in the folder are read from there."""
    trained = load_run(run, "cpu")
    trained.classifier.to(memory_format=torch.channels_last)  # half as long, the same numbers
    per_class = -(-n_images // len(trained.classes))
    for i, subject in enumerate(choose_subjects(trained, None, per_class)[:n_images]):
        path = folder / f"{i:03}.npz"
        if not path.exists():
            with frozen(trained.classifier):
                done = evaluate(trained.classifier, subject, 1000 * i)
            folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, **{k: v.numpy() for k, v in vars(done).items()})
        with np.load(path) as file:
            yield Evaluated(**{name: torch.from_numpy(file[name]) for name in file.files})


def surrogate_of(masks: Tensor, scores: Tensor, weights: Tensor) -> Surrogate:
    everything = torch.ones(1, 1, masks.shape[1], dtype=torch.bool)
    evaluations = Evaluations(masks[None], scores[None, :, None], weights[None])
    return fit_surrogate(evaluations, everything)


def plain_rows(image: Evaluated, n: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Independent samples: the first halves of pairs."""
    yield from _split_disjoint(torch.arange(1, len(image.pool), 2), n, generator)


def antithetic_rows(image: Evaluated, n: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Pairs of complements."""
    for first in _split_disjoint(torch.arange(1, len(image.pool), 2), n // 2, generator):
        yield torch.stack([first, first + 1], 1).flatten()


def stratified_rows(image: Evaluated, n: int, generator: torch.Generator) -> Iterator[Tensor]:
    """First halves whose sizes lie at even quantiles of the binomial distribution."""
    yield from _choose_sizes(image, n, torch.ones_like(image.kernel), generator)


def locality_rows(image: Evaluated, n: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows whose sizes lie at even quantiles of the locality distribution."""
    yield from _choose_sizes(image, n, image.kernel, generator)


def _split_disjoint(rows: Tensor, n: int, generator: torch.Generator) -> Iterator[Tensor]:
    shuffled = rows[torch.randperm(len(rows), generator=generator)]
    yield from shuffled[: len(rows) // n * n].split(n)[:DRAWS]


def _choose_sizes(
    image: Evaluated, n: int, weights: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Rows of wanted sizes; where the pool has no more rows of a size, the next larger is taken."""
    sizes, cumulative = image.pool.sum(1), size_probabilities(weights).cumsum(0)
    for _ in range(DRAWS):
        quantiles = (torch.arange(n) + torch.rand(n, generator=generator)).double() / n
        wanted = torch.searchsorted(cumulative, quantiles).clamp(max=len(cumulative) - 1)
        order = 1 + torch.randperm(len(sizes) - 1, generator=generator)
        by_size = order[sizes[order].argsort(stable=True)]
        starts = torch.searchsorted(sizes[by_size].contiguous(), wanted.sort().values).tolist()
        taken, last = [], -1
        for start in starts:
            last = min(max(start, last + 1), len(by_size) - 1)
            taken.append(last)
        yield by_size[torch.tensor(taken)]


SELECTIONS: dict[str, Callable[..., Iterator[Tensor]]] = {
    "independent (plain LIME)": plain_rows, "antithetic pairs": antithetic_rows,
    "stratified sizes": stratified_rows, "locality (GLIME)": locality_rows,
}  # fmt: skip
ARRAY = "orthogonal array, folded"


def agreements(image: Evaluated, generator: torch.Generator) -> dict[tuple[str, int], float]:
    """Mean Jaccard index of the top 5 with the reference, by design and number of samples."""
    mean_by_design = {}
    for name, rows_of in SELECTIONS.items():
        for n in COUNTS:
            values = [
                from_pool(image, rows, weighted=rows_of is not locality_rows)
                for rows in rows_of(image, n, generator)
            ]
            mean_by_design[name, n] = float(np.mean(values))
    reference = surrogate_of(image.pool, image.pool_scores, image.kernel[image.pool.sum(1)])
    for n in [n for n in COUNTS if n < image.arrays.shape[1]]:
        values = [
            top_agreement(array_surrogate(image, seed, n), reference) for seed in range(SEEDS)
        ]
        mean_by_design[ARRAY, n] = float(np.mean(values))
    return mean_by_design


def from_pool(image: Evaluated, rows: Tensor, weighted: bool) -> float:
    """Agreement of a selection from the pool with plain LIME on what it left."""
    rest = torch.ones(len(image.pool), dtype=torch.bool)
    rest[rows] = False
    weights = image.kernel[image.pool.sum(1)]
    reference = surrogate_of(image.pool[rest], image.pool_scores[rest], weights[rest])
    chosen = torch.cat([torch.zeros(1, dtype=torch.long), rows])
    own = weights[chosen] if weighted else torch.ones(len(chosen)).double()
    surrogate = surrogate_of(image.pool[chosen], image.pool_scores[chosen], own)
    return top_agreement(surrogate, reference)


def array_surrogate(image: Evaluated, seed: int, n: int) -> Surrogate:
    masks, scores = image.arrays[seed, : n + 1], image.array_scores[seed, : n + 1]
    return surrogate_of(masks, scores, image.kernel[masks.sum(1)])


def top_agreement(a: Surrogate, b: Surrogate) -> float:
    return float(jaccard_of_top(a.coefficients[0, 0], b.coefficients[0, 0], TOP))


Look = tuple[int, float, float]
"""Samples, expected agreement and true agreement at one look of the adaptive stop."""


def looks_at(image: Evaluated, seed: int) -> list[Look]:
    """What the adaptive stop sees, round by round, and what is true."""
    size = OrthogonalArray().round_size(image.pool.shape[1])
    reference = surrogate_of(image.pool, image.pool_scores, image.kernel[image.pool.sum(1)])
    looks = []
    for n in range(2 * size, image.arrays.shape[1], size):
        masks, scores = image.arrays[None, seed, : n + 1], image.array_scores[seed, : n + 1]
        evaluations = Evaluations(masks, scores[None, :, None], image.kernel[masks.sum(2)])
        surrogate = array_surrogate(image, seed, n)
        generator = torch.Generator().manual_seed(seed)
        expected = ranking_stability(evaluations, surrogate, True, TOP, generator)
        looks.append((n, float(expected), top_agreement(surrogate, reference)))
    return looks


def adaptive_table(all_stops: list[list[Look]]) -> list[str]:
    """Mean forwards, expected and true agreement where sampling ends, by the index asked for."""
    lines = ["| asked for | forwards | expected | true | not reached |", "|---|---|---|---|---|"]
    for wanted in (0.6, 0.7, 0.75, 0.8, 0.85, 0.9):
        ends, missed = [], 0
        for looks in all_stops:
            ended = next((look for look in looks if look[1] >= wanted), None)
            missed += ended is None
            ends.append(ended or looks[-1])
        n, expected, true = np.mean(ends, axis=0)
        cells = (wanted, f"{n:.0f}", f"{expected:.2f}", f"{true:.2f}", f"{missed / len(ends):.0%}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def curves(per_image: list[dict[tuple[str, int], float]]) -> dict[str, dict[int, np.ndarray]]:
    """Agreements of all images by design and number of samples."""
    gathered: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for agreement in per_image:
        for (name, n), value in agreement.items():
            gathered[name][n].append(value)
    return {name: {n: np.array(v) for n, v in by_n.items()} for name, by_n in gathered.items()}


def table(by_design: Mapping[str, Mapping[int, np.ndarray]]) -> list[str]:
    """Designs down, samples across, mean agreement over images ± its standard error."""
    lines = ["| design | " + " | ".join(map(str, COUNTS)) + " |", "|---" * (len(COUNTS) + 1) + "|"]
    for name, by_n in by_design.items():
        cells = [
            f"{by_n[n].mean():.2f} ± {by_n[n].std() / len(by_n[n]) ** 0.5:.2f}"
            if n in by_n
            else "–"
            for n in COUNTS
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def draw(by_design: Mapping[str, Mapping[int, np.ndarray]], path: Path) -> None:
    """Agreement against samples, one curve per design."""
    with drawing(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for (name, by_n), colour in zip(by_design.items(), SERIES, strict=False):
            counts = sorted(by_n)
            means = [by_n[n].mean() for n in counts]
            axes.plot(counts, means, color=colour, label=name, marker="o", markersize=3)
        axes.set(xscale="log", xlabel="forwards", ylabel=f"Jaccard index of the top {TOP}")
        axes.set(title="Agreement with plain LIME on 2300 to 3300 other samples")
        axes.set_xticks(COUNTS[::2], [str(n) for n in COUNTS[::2]], minor=False)
        axes.minorticks_off()
        axes.legend()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/quickstart"))
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("runs/lime_designs"))
    options = parser.parse_args()
    generator, per_image, looks = torch.Generator().manual_seed(0), [], []
    for i, image in enumerate(evaluate_run(options.run, options.images, options.out)):
        per_image.append(agreements(image, generator))
        looks.extend(looks_at(image, seed) for seed in range(SEEDS))
        print(f"image {i + 1} of {options.images}: {image.pool.shape[1]} superpixels", flush=True)
    by_design = curves(per_image)
    print("\n".join(["", *table(by_design), "", *adaptive_table(looks)]))
    draw(by_design, options.out / "lime_designs.png")


if __name__ == "__main__":
    main()
