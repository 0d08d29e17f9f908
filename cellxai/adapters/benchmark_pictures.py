"""The pictures of a benchmark, and the list that the report finds them by."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cellxai.explain.results.clustering import cluster_methods, mean_agreement
from cellxai.explain.results.method_agreement import compare_methods
from cellxai.explain.results.ranking import cliques, pareto_front
from cellxai.explain.results.score_arrays import Results, mean, read_results
from cellxai.explain.results.standings import Standing, rank_explainers
from cellxai.explain.results.store import Store
from cellxai.figures.benchmark.agreement import draw_agreement
from cellxai.figures.benchmark.critical_difference import draw_critical_difference
from cellxai.figures.benchmark.pareto import PricedMethod, draw_pareto
from cellxai.figures.benchmark.rank_table import draw_rank_table
from cellxai.files.folder import write_json


@dataclass(frozen=True)
class Picture:
    """A line of ``pictures.json``.

    Args:
        file: Name of the PNG beside it.
        family: What it belongs to; empty for the whole benchmark.
        alt: What it shows, for a reader who cannot see it.
    """

    file: str
    family: str
    alt: str


def draw_pictures(folder: Path, store: Store) -> None:
    """Draws every picture of a benchmark from its store alone, and lists them in a JSON file.

    ``rank_table.png`` and ``agreement.png`` are of the whole; ``critical_difference_*.png`` and
    ``pareto_*.png`` of each family. A picture that needs two explainers is left out where
    there is one.

    Args:
        folder: Where they go; usually that of the store.
        store: The results, finished or not.
    """
    draw_results(folder, read_results(store))


def draw_results(folder: Path, results: Results) -> None:
    """:func:`draw_pictures` of results that were read already."""
    families = [standing for standing in rank_explainers(results) if standing.level == "family"]
    ranked = [family for family in families if is_ranked(family)]
    pictures = []
    if ranked:
        pictures.append(_rank_table(folder, ranked, results))
    for number, standing in enumerate(ranked, 1):
        # Numbered: two names that differ by a sign alone must not share a file.
        name = f"{number}_{re.sub('[^a-z0-9]+', '_', standing.name.lower()).strip('_')}.png"
        pictures.append(
            _critical_difference(folder / f"critical_difference_{name}", standing, results)
        )
        pictures.append(_pareto(folder / f"pareto_{name}", standing, results))
    pictures += _agreement(folder / "agreement.png", results)
    write_json(folder / "pictures.json", [asdict(picture) for picture in pictures])


def is_ranked(standing: Standing) -> bool:
    """Whether there is an image, and more than one explainer to rank."""
    return bool(standing.friedman.n) and len(standing.friedman.mean_ranks) > 1


def _rank_table(folder: Path, families: Sequence[Standing], results: Results) -> Picture:
    path = folder / "rank_table.png"
    ranks = np.array(
        [
            [family.friedman.mean_ranks.get(name, math.nan) for family in families]
            for name in results.explainers
        ]
    )
    order = sorted(
        range(len(ranks)),
        key=lambda row: (
            results.explainers[row] in results.controls,
            *np.nan_to_num(ranks[row], nan=math.inf),
        ),
    )
    beaten = {
        (name, family.name)
        for family in families
        for name, verdict in family.verdicts.items()
        if verdict.answer == "yes"
    }
    names = [results.explainers[row] for row in order]
    title = f"Mean rank by family, ordered by {families[0].name}\n✓ beats every control"
    draw_rank_table(
        names,
        [family.name for family in families],
        ranks[order],
        beaten,
        results.controls,
        path,
        title,
    )
    return Picture(path.name, "", "Mean rank of every explainer in every family of metrics.")


def _critical_difference(path: Path, standing: Standing, results: Results) -> Picture:
    test = standing.friedman
    winners = [name for name, verdict in standing.verdicts.items() if verdict.answer == "yes"]
    groups = cliques(test.mean_ranks, test.critical_difference)
    p = "" if math.isnan(test.p) else f", Friedman p {_p_value(test.p)}"
    title = (
        f"{capitalise(standing.name)}: mean rank over {test.n} images{p}; bold beats every control"
    )
    draw_critical_difference(
        test.mean_ranks, groups, test.critical_difference, path, title, results.controls, winners
    )
    best = min(test.mean_ranks, key=lambda name: test.mean_ranks[name])
    alt = (
        f"Critical-difference diagram of {standing.name}: mean ranks of {len(test.mean_ranks)} "
        f"explainers, the best {best}; bars join those whose difference is not settled."
    )
    return Picture(path.name, standing.name, alt)


def capitalise(name: str) -> str:
    """A name at the beginning of a title; its other letters stay as they are."""
    return name[:1].upper() + name[1:]


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _pareto(path: Path, standing: Standing, results: Results) -> Picture:
    ranks = standing.friedman.mean_ranks
    seconds = {name: _seconds(results, name) for name in ranks}
    priced = [name for name in ranks if not math.isnan(seconds[name])]
    front = pareto_front(
        np.array([ranks[name] for name in priced]),
        np.array([seconds[name] for name in priced]),
        "lower",
    )
    dots = [
        PricedMethod(name, ranks[name], seconds[name], bool(on), name in results.controls)
        for name, on in zip(priced, front, strict=True)
    ]
    draw_pareto(dots, path, f"{capitalise(standing.name)}: rank against cost")
    worth = ", ".join(dot.name for dot in dots if dot.on_front)
    alt = f"Mean rank in {standing.name} against seconds; nobody is better and cheaper than {worth}"
    return Picture(path.name, standing.name, f"{alt}.")


def _seconds(results: Results, explainer: str) -> float:
    return mean(
        answer.seconds
        for answer in results.answers
        if answer.explainer == explainer and answer.status in ("ok", "degraded")
    )


def _agreement(path: Path, results: Results) -> list[Picture]:
    """By rank correlation, of those methods that have evidence at all."""
    with_evidence = {answer.explainer for answer in results.answers if answer.evidence is not None}
    methods = [name for name in results.explainers if name in with_evidence]
    if len(methods) < 2:
        return []
    agreement = compare_methods(results.answers, methods)[0]
    tree = cluster_methods(methods, agreement.by_image)
    title = f"Do they agree? {capitalise(agreement.similarity)}, {len(agreement.by_image)} images"
    draw_agreement(
        methods, mean_agreement(agreement.by_image), tree.tree, results.controls, path, title
    )
    groups = "; ".join(", ".join(group) for group in tree.groups if len(group) > 1)
    alt = f"Heat map of the {agreement.similarity} of every pair of explainers, and their tree. "
    return [Picture(path.name, "", alt + (f"Groups: {groups}." if groups else "No groups."))]
