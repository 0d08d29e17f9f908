"""How often tables call a method better by chance, and how often one that is better is found.

python scripts/bench_ranks.py null|power [--tables N]
cost: 3 min of one CPU core at 2000 tables for each; expect: a Markdown table

Three methods and two controls are scored by three metrics on n images; the metrics of an image
agree by half (a correlation of 0.5). Under the null all five are alike. Else the first method is
ahead of all others by so many standard deviations of a score of one image, in all metrics. A rate
of 5 % has a standard error of 0.5 points in 2000 tables.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from cellxai.explain.results.ranking import friedman, image_ranks, joint_ranks
from cellxai.explain.results.rows import Measure, ScoreRow
from cellxai.explain.results.score_arrays import Results
from cellxai.explain.results.significance import beat_controls, paired_tests
from cellxai.explain.results.standings import rank_explainers

METHODS, CONTROLS = ("first", "second", "third"), ("low", "high")
NAMES = METHODS + CONTROLS
N_METRICS = 3
SIZES = (8, 12, 20, 50)
LEADS = (0.5, 0.8, 1.2, 2.0)  # in standard deviations of a score

Table = Float[np.ndarray, "m n k"]
LAWS: Mapping[str, Callable[[Table], Table]] = {
    "normal": lambda scores: scores,
    "skewed": np.exp,
    "ties": np.round,
    "a tenth fails": lambda scores: np.where(scores < np.quantile(scores, 0.1), np.nan, scores),
}


def draw(generator: np.random.Generator, n: int, lead: float) -> Table:
    """Scores of all metrics, images and methods."""
    of_image = generator.normal(size=(1, n, len(NAMES)))
    scores = (of_image + generator.normal(size=(N_METRICS, n, len(NAMES)))) / np.sqrt(2)
    scores[:, :, 0] += lead
    return scores


def results_of(scores: Table) -> Results:
    """The scores as a benchmark keeps them, of one family."""
    measures = {
        f"m{k}": Measure(f"m{k}", "", "family", "higher", -np.inf, np.inf, "")
        for k in range(N_METRICS)
    }
    rows = [
        ScoreRow(f"{i:03d}", name, f"m{k}", 0, float(scores[k, i, j]), np.nan, "ok", "", 0, 0, 0.0)
        for k in range(N_METRICS)
        for i in range(scores.shape[1])
        for j, name in enumerate(NAMES)
    ]
    return Results(rows, [], measures, controls=frozenset(CONTROLS))


def findings(scores: Table) -> dict[str, bool]:
    """What the tables say of one benchmark: in the null every one of these is a mistake."""
    of_metric = {name: scores[0, :, j] for j, name in enumerate(NAMES)}
    verdicts = beat_controls(of_metric, CONTROLS, "higher")
    family = rank_explainers(results_of(scores))[0]
    pairs = paired_tests(of_metric)
    ranks = joint_ranks(np.stack([image_ranks(metric, "higher") for metric in scores]))
    test = friedman(NAMES, ranks)
    means = sorted(test.mean_ranks.values())
    return {
        "beats every control, one metric": any(v.answer == "yes" for v in verdicts.values()),
        "beats every control, a family": any(v.answer == "yes" for v in family.verdicts.values()),
        "some pair differs (Wilcoxon, Holm)": min(pair.p_holm for pair in pairs) <= 0.05,
        "ranks differ (Friedman)": test.p <= 0.05,
        "ranks differ (Nemenyi)": means[-1] - means[0] > test.critical_difference,
        "the first beats every control, one metric": verdicts["first"].answer == "yes",
        "the first beats every control, a family": family.verdicts["first"].answer == "yes",
    }


def rates(law: str, n: int, lead: float, n_tables: int) -> dict[str, float]:
    """Percent of the tables that say each."""
    generator, counts = np.random.default_rng(n), Counter()
    for _ in range(n_tables):
        counts.update({k: int(v) for k, v in findings(LAWS[law](draw(generator, n, lead))).items()})
    return {name: 100 * count / n_tables for name, count in counts.items()}


def print_table(head: str, lines: Mapping[str, Mapping[str, float]], names: list[str]) -> None:
    """Markdown, a row per law and size."""
    print(f"\n{head}\n\n| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    for of, line in lines.items():
        print(f"| {of} | {' | '.join(f'{line[name]:.1f}' for name in names)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="how often ranks and verdicts are wrong, and find what is there"
    )
    parser.add_argument("part", choices=("null", "power"))
    parser.add_argument("--tables", type=int, default=2000)
    given = parser.parse_args()
    if given.part == "null":
        lines = {
            f"{law}, n = {n}": rates(law, n, 0.0, given.tables)
            for law in LAWS
            for n in (SIZES if law == "normal" else (20,))
        }
    else:
        lines = {
            f"ahead by {lead:g} sd, n = {n}": rates("normal", n, lead, given.tables)
            for lead in LEADS
            for n in SIZES
        }
    names = [
        name for name in next(iter(lines.values()))
        if name.startswith("the first") == (given.part == "power")
    ]  # fmt: skip
    print_table(f"{given.part}: percent of {given.tables} tables", lines, names)


if __name__ == "__main__":
    main()
