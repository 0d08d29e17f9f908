"""How many forwards Shapley values need: leverage scores against Kernel SHAP on a trained run.

python scripts/bench_shapley.py [--run RUN] [--data CELLS] [--images N] [--truth N] [--seeds N]
cost: 10 CPU seconds an image with the small network; expect: four tables and a picture

A run that does not exist is trained first: a small network on the cells of the quickstart. The
truth is a long run of paired leverage sampling with a seed of its own; how far it may be from the
values of all coalitions is printed. Captum draws and fits as it always does: it explains an image
of one pixel per superpixel, whose score is that of the perturbed image, so that what it asks at few
passes is not computed again for many. What is evaluated is kept in the folder.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from bench_shapley_network import train
from bench_shapley_tables import (
    ASKED,
    CONFIDENCE,
    COUNTS,
    KERNEL,
    METHODS,
    MOST,
    ORDERS,
    PAIRED,
    bound_table,
    draw,
    error_table,
    reach_table,
    stop_table,
)
from captum import attr
from scipy.stats import t as student
from torch import Tensor

from cellxai.adapters.explained_images import Subject, choose_subjects
from cellxai.api import allow
from cellxai.explain.base import Model, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.cost import frozen
from cellxai.explain.perturbation import perturbed_scores
from cellxai.explain.shapley.coalitions import Coalitions, draw_coalitions
from cellxai.explain.shapley.regression import fit_players
from cellxai.explain.shapley.rounds import Played, bound_of, covariance_of, game_of, play
from cellxai.explain.shapley.stopping import StopAtError
from cellxai.explain.superpixels.methods import Slic
from cellxai.trained.run import load_run

BATCH = 32  # images in a forward pass
SEED_OF_TRUTH = 1_000_003

Worth = Callable[[Tensor], Tensor]
"""Coalitions [n s] to the score of each."""


@dataclass(frozen=True)
class Judged:
    """What the methods say of one image.

    Args:
        truth: Values of the long run.
        truth_bound: What its relative error does not exceed, with 95 % confidence.
        errors: Relative error by seed, method and number of passes; NaN where a method has too few.
        bounds: What the error of the paired method does not exceed, by its own account.
        covered: Share of values inside their 95 % intervals, of the paired method.
        stops: Passes, relative error and whether the bound was reached, by seed and asked error.
    """

    truth: np.ndarray
    truth_bound: np.ndarray
    errors: np.ndarray
    bounds: np.ndarray
    covered: np.ndarray
    stops: np.ndarray


class Remembered:
    """Scores of coalitions, each asked of the network once."""

    def __init__(self, worth: Worth) -> None:
        self.worth = worth
        self.known: dict[bytes, float] = {}

    def __call__(self, masks: Tensor) -> Tensor:
        """See ``Worth``."""
        keys = [row.tobytes() for row in np.packbits(masks.numpy(), axis=1)]
        new = {key: i for i, key in enumerate(keys) if key not in self.known}
        if new:
            scores = self.worth(masks[list(new.values())])
            self.known |= dict(zip(new, scores.tolist(), strict=True))
        return torch.tensor([self.known[key] for key in keys], dtype=torch.float64)


def worth_of(model: Model, subject: Subject) -> tuple[Worth, int]:
    """The score of each coalition of an image, and how many superpixels it has."""
    context = context_of(subject.image, Slic(), BlurBaseline())
    column = torch.tensor([[subject.target]])

    def worth(masks: Tensor) -> Tensor:
        owners = torch.zeros(len(masks), dtype=torch.long)
        return perturbed_scores(model, subject.image, context, owners, masks, column)[:, 0]

    return worth, int(context.superpixels.max()) + 1


def played(coalitions: Coalitions, worth: Worth, n_rows: int) -> Played:
    """The first coalitions and their scores."""
    n_rows -= (n_rows - 2) % coalitions.rows_per_unit
    scores = torch.full((coalitions.n_rows, 1), torch.nan, dtype=torch.float64)
    scores[:n_rows, 0] = worth(coalitions.masks[:n_rows])
    return Played(coalitions, scores, n_rows)


def estimate(of_image: Played) -> tuple[Tensor, Tensor, float]:
    """Values, their standard errors, and the bound of their relative error."""
    game = game_of([of_image])
    fit = fit_players(game)
    covariance = covariance_of(game, fit, [of_image])
    bound = bound_of(fit, covariance, [of_image], CONFIDENCE)
    return fit.terms[0, 0], covariance[0, 0].diagonal().sqrt(), float(bound)


def by_captum(name: str, worth: Worth, n_players: int, n_passes: int, seed: int) -> Tensor | None:
    """Values of Captum's method after so many passes; None where that is less than one order."""
    pixels = torch.ones(1, 1, 1, n_players)
    labels = torch.arange(n_players).view(1, 1, 1, n_players)

    def score(images: Tensor) -> Tensor:
        return worth(images.flatten(1) > 0.5)[:, None]

    arguments = {"baselines": torch.zeros_like(pixels), "target": 0, "feature_mask": labels}
    arguments |= {"perturbations_per_eval": BATCH}
    n_orders = (n_passes - 1) // n_players
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        if name == KERNEL:
            values = attr.KernelShap(score).attribute(pixels, n_samples=n_passes, **arguments)
            return values.flatten().double()
        if not n_orders:
            return None
        values = attr.ShapleyValueSampling(score).attribute(pixels, n_samples=n_orders, **arguments)
        return values.flatten().double()


def judge(model: Model, subject: Subject, first_seed: int, n_truth: int, n_seeds: int) -> Judged:
    """All methods on one image, against a long run."""
    worth, n_players = worth_of(model, subject)
    long_run = draw_coalitions(n_players, n_truth, True, SEED_OF_TRUTH + first_seed)
    truth, _, truth_bound = estimate(played(long_run, worth, n_truth))
    errors, bounds, covered, stops = [], [], [], []
    for seed in range(first_seed, first_seed + n_seeds):
        own = Remembered(worth)
        by_method, bound, share = errors_of_seed(own, truth, seed)
        errors.append(by_method)
        bounds.append(bound)
        covered.append(share)
        stops.append([stopped(own, truth, seed, asked) for asked in ASKED])
    parts = (errors, bounds, covered, stops)
    return Judged(truth.numpy(), np.array(truth_bound), *(np.array(part) for part in parts))


def errors_of_seed(
    worth: Worth, truth: Tensor, seed: int
) -> tuple[list[list[float]], list[float], list[float]]:
    """Errors by method and number of passes; bounds and coverage of the paired method."""
    by_method, bounds, covered = [], [], []
    for paired in (True, False):
        coalitions = draw_coalitions(len(truth), MOST, paired, seed)
        estimates = [estimate(played(coalitions, worth, n)) for n in COUNTS]
        by_method.append([relative(values, truth) for values, _, _ in estimates])
        if paired:
            bounds = [bound for _, _, bound in estimates]
            degrees = [(n - 2) // 2 - len(truth) + 1 for n in COUNTS]
            pairs = zip(estimates, degrees, strict=True)
            covered = [share_inside(e[0] - truth, e[1], degree) for e, degree in pairs]
    for name in (KERNEL, ORDERS):
        values = [by_captum(name, worth, len(truth), n, seed) for n in COUNTS]
        by_method.append([np.nan if v is None else relative(v, truth) for v in values])
    return by_method, bounds, covered


def share_inside(misses: Tensor, standard_errors: Tensor, degrees: int) -> float:
    """Share of the values whose interval holds the true one; NaN without degrees of freedom."""
    if degrees < 1:
        return np.nan
    quantile = float(student.ppf((1 + CONFIDENCE) / 2, degrees))
    return float((misses.abs() <= quantile * standard_errors).double().mean())


def relative(values: Tensor, truth: Tensor) -> float:
    return float((values - truth).norm() / truth.norm())


def stopped(worth: Worth, truth: Tensor, seed: int, asked: float) -> tuple[float, float, float]:
    """Passes until the stop, the error there, and whether the bound was reached in ``MOST``."""
    coalitions = draw_coalitions(len(truth), MOST, True, seed)

    def evaluate(owners: Tensor, masks: Tensor) -> Tensor:
        return worth(masks)[:, None]

    (end,) = play([coalitions], evaluate, 1, StopAtError(asked, CONFIDENCE))
    values, _, bound = estimate(end)
    return float(end.n_rows), relative(values, truth), float(bound <= asked)


def judge_run(options: argparse.Namespace) -> Iterator[Judged]:
    """Judges the first images of each class in turn; those in the folder are read from there."""
    trained = load_run(options.run, "cpu")
    trained.classifier.to(memory_format=torch.channels_last)  # half as long, the same numbers
    per_class = -(-options.images // len(trained.classes))
    for i, subject in enumerate(choose_subjects(trained, None, per_class)[: options.images]):
        path = options.out / f"{i:03}.npz"
        if not path.exists():
            with frozen(trained.classifier):
                done = judge(trained.classifier, subject, 100 * i, options.truth, options.seeds)
            options.out.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, **vars(done))
        with np.load(path) as file:
            yield Judged(**{name: file[name] for name in file.files})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/small"))
    parser.add_argument("--data", type=Path, default=Path("runs/quickstart/data/cells"))
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--truth", type=int, default=8192)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/shapley"))
    options = parser.parse_args()
    allow(["bench_shapley_network"])  # which the run names
    if not options.run.exists():
        train(options.data, options.run, options.epochs)
    images = []
    for i, image in enumerate(judge_run(options)):
        images.append(image)
        print(f"image {i + 1} of {options.images}: {len(image.truth)} superpixels", flush=True)
    bounds = [float(image.truth_bound) for image in images]
    print(f"\ntruth: error at most {np.mean(bounds):.4f}, in the worst image {max(bounds):.4f}")
    for lines in tables(images):
        print("\n".join(["", *lines]))
    draw(np.stack([image.errors.mean(0) for image in images]), options.out / "shapley_passes.png")


def tables(images: list[Judged]) -> list[list[str]]:
    """All tables of the judged images."""
    errors = np.stack([image.errors.mean(0) for image in images])
    of_paired = np.concatenate([image.errors[:, METHODS.index(PAIRED)] for image in images])
    bounds, covered, stops = (
        np.concatenate([getattr(image, part) for image in images])
        for part in ("bounds", "covered", "stops")
    )
    return [
        error_table(errors),
        reach_table(errors, np.random.default_rng(0)),
        bound_table(of_paired, bounds, covered),
        stop_table(stops),
    ]


if __name__ == "__main__":
    main()
