"""The line for a value of another type: what was given, and what would do."""

import re

from gmm.commandline.text import clip

KEY = re.compile(r'Parser key "([\w.]+)"')
UNION = "Does not validate against any of the Union"
# How jsonargparse says that a value has another type than one, and than any of several.
ONE_TYPE = re.compile(
    r"Expected an? (?P<types><class '\w+'>|(?:typing\.)?Literal\[[^\]]*\])\. "
    r"Got value: (?P<value>[^\n]*)\s*$"
)
TYPES = re.compile(r"Subtypes: \[(.*)\]\s+Errors:")
GIVEN = re.compile(r"Given value: (.*)\s*$", re.DOTALL)
NO_SUBCLASS = re.compile(r"Import path [\w.]+ does not correspond to a subclass of \w+")
DOTTED = re.compile(r"(?:\w+\.)+(\w+)")
CLASS = re.compile(r"<class '([\w.]+)'>")
LONGEST_VALUE = 80  # characters
IN_WORDS = {
    "NoneType": "null",
    "bool": "true or false",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "tuple": "a list such as [a,b]",
    "list": "a list such as [a,b]",
}


def explain_value(message: str) -> str | None:
    """One short line for jsonargparse's words on types; None where they are on something else."""
    before, _, union = message.partition(UNION)
    keys = KEY.findall(before)
    if not keys:
        return None
    if not union:
        wrong = None if "class_path" in message else ONE_TYPE.search(message)
        # A class without a word for it is named by jsonargparse, together with what it tried.
        if wrong is None or name_type(wrong["types"]) == CLASS.sub(r"\1", wrong["types"]):
            return None
        return _line(keys, wrong["value"], [wrong["types"]])
    types, given = TYPES.search(" ".join(union.split())), GIVEN.search(message)
    if types is None or given is None:
        return None
    if no_subclass := NO_SUBCLASS.search(message):
        return f"{'.'.join(keys)}: {no_subclass[0]}"
    return _line(keys, given[1], split_types(types[1]))


def _line(keys: list[str], value: str, types: list[str]) -> str:
    # What a user can write comes first; null is what an option is that is left out.
    names = sorted(map(name_type, types), key=lambda name: name == IN_WORDS["NoneType"])
    shown = clip(" ".join(value.split()), LONGEST_VALUE)
    return f"{'.'.join(keys)}={shown}: expected {' or '.join(dict.fromkeys(names))}"


def split_types(text: str) -> list[str]:
    """The members of a printed list of types, at its commas outside brackets."""
    members, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "[(") - (character in ")]")
        if character == "," and depth == 0:
            members.append(text[start:place])
            start = place + 1
    return [member.strip() for member in [*members, text[start:]]]


def name_type(text: str) -> str:
    """A type in short: without the modules that its parts lie in."""
    short = DOTTED.sub(r"\1", CLASS.sub(r"\1", text))
    if short.startswith("Literal["):
        words = short.removeprefix("Literal[").removesuffix("]")
        return f"one of {words.replace(chr(39), '')}"
    return IN_WORDS.get(short, short)
