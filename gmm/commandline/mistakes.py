"""The line for a mistyped word: the nearest words that would have been right."""

import difflib
import re
from collections.abc import Iterable

MOST_LISTED = 24  # more words than these are no help
# How jsonargparse says that a value has another type: all types that it tried, and the value.
WRONG_VALUE = re.compile(
    r'Parser key "(?P<key>[\w.]+)":(?P<tried>.*)(?:Got value|Given value): (?P<value>[^\n]*)\s*$',
    re.DOTALL,
)
TRIED = re.compile(r"Expected an? (?:<class '(\w+)'>|(?:typing\.)?Literal\[([^\]]*)\])")
PLAIN_TYPES = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "NoneType": "null",
    "str": "a word", "tuple": "a list such as [a,b]", "list": "a list such as [a,b]",
}  # fmt: skip


def explain_value(message: str) -> str | None:
    """The line for a value of another type; None where the message is about something else."""
    wrong = WRONG_VALUE.search(message)
    if wrong is None or "class_path" in message:
        return None
    # What a user can write comes first; null is what an option is that is left out.
    tried = sorted(TRIED.findall(wrong["tried"]), key=lambda names: names[0] == "NoneType")
    if not tried or len(tried) != max(wrong["tried"].count("  - "), 1):
        return None
    words = [
        PLAIN_TYPES.get(name, "") if name else "one of " + choices.replace("'", "")
        for name, choices in tried
    ]
    if not all(words):
        return None
    return f"{wrong['key']}={wrong['value'].strip()}: expected {' or '.join(words)}"


def explain_mistake(problem: str, word: str, valid: Iterable[str], most: int = 3) -> str:
    """``problem``, then the nearest valid words, or all where few exist and none is near."""
    names = sorted(set(valid))
    near = nearest(word, names, most)
    if near:
        return f"{problem}; did you mean {' or '.join(near)}?"
    if 0 < len(names) <= MOST_LISTED:
        return f"{problem}; expected one of: {', '.join(names)}"
    return problem


def nearest(word: str, names: list[str], most: int) -> list[str]:
    """Names close to ``word``, by the whole dotted name first and by its last part otherwise."""
    whole = difflib.get_close_matches(word, names, n=most, cutoff=0.72)
    leaf = word.rsplit(".", 1)[-1]
    by_leaf = [name for name in names if name.rsplit(".", 1)[-1] == leaf and name != word]
    near_leaf = [
        name
        for close in difflib.get_close_matches(leaf, {n.rsplit(".", 1)[-1] for n in names}, n=1)
        for name in names
        if name.rsplit(".", 1)[-1] == close
    ]
    return list(dict.fromkeys([*whole, *by_leaf, *near_leaf]))[:most]
