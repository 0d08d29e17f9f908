"""What the section about the benchmark says in words: change a sentence about a family here."""

from collections.abc import Sequence
from math import isnan, nan

from cellxai.report.saved_files import CsvRow

MOST_NAMED = 6  # methods in a sentence
ABOUT = {
    "truth": "On images whose label has a known cause: does the map find what truly moves the "
    "score?",
    "faithfulness": "Does the score of the class change where the map says that it should?",
    "localisation": "Overlap with marked regions. A mask says where cells are, not what the model "
    "used.",
    "sanity": "Does the map change when what the model has learned is destroyed?",
    "stability": "Does the map stay when nothing of substance changes? A map that never looks at "
    "the model is the most stable of all: here a control may well be the best, which is no merit.",
    "validity": "How far the changed images that faithfulness is measured on lie from the known.",
    "complexity": "How few pixels hold the evidence. Sparse is easy to read, and may be wrong.",
}


def winners_sentence(answers: Sequence[str], methods: Sequence[str]) -> str:
    """Which methods beat the controls: ``lime and occlusion beat every control, 4 others do not``.

    Args:
        answers: Whether each beats every control.
        methods: Their names, best first.
    """
    winners = [name for name, answer in zip(methods, answers, strict=True) if answer == "yes"]
    untested = sum(answer not in ("yes", "no") for answer in answers)
    if untested == len(methods):
        return "no method could be tested: there are no controls, or too few images."
    beaten = len(methods) - len(winners) - untested
    claim = (
        f"{_list_winners(winners)} every control" if winners else "no method beats every control"
    )
    if winners and beaten:
        claim += f", {beaten} other{' does' if beaten == 1 else 's do'} not"
    return claim + (f"; {untested} could not be tested." if untested else ".")


def describe_ranking(row: CsvRow) -> str:
    """How many images the ranks rest on, and whether they differ at all."""
    n_images, left_out = int(row["n_images"]), int(row["n_left_out"])
    basis = f"over {n_images} image{'' if n_images == 1 else 's'}"
    basis += f" ({left_out} more are incomplete)" if left_out else ""
    p, difference = parse_number(row["friedman_p"]), parse_number(row["critical_difference"])
    if isnan(p):
        return basis
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return f"{basis}, Friedman {shown}, mean ranks differ beyond {difference:.1f}"


def parse_number(text: str) -> float:
    """A number of a table; NaN where it is empty."""
    return float(text) if text else nan


def _list_winners(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} beats"
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more beat"
    return f"{', '.join(names[:-1])} and {names[-1]} beat"
