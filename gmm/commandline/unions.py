"""The line for a value that is none of several types: what was given, and what would do."""

import re

from gmm.commandline.text import clip

KEY = re.compile(r'Parser key "([\w.]+)"')
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
}


def explain_union(message: str) -> str | None:
    """One short line for jsonargparse's page on a union of types; ``None`` for another message."""
    parts = message.split("Does not validate against any of the Union")
    if len(parts) == 1:
        return None
    types, given = TYPES.search(" ".join(parts[1].split())), GIVEN.search(message)
    keys = KEY.findall(parts[0])
    if types is None or given is None or not keys:
        return None
    if no_subclass := NO_SUBCLASS.search(message):
        return f"{'.'.join(keys)}: {no_subclass[0]}"
    names = list(dict.fromkeys(name_type(part) for part in split_types(types[1])))
    value = clip(" ".join(given[1].split()), LONGEST_VALUE)
    return f"{'.'.join(keys)}={value}: expected {' or '.join(names)}"


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
        return f"one of {short.removeprefix('Literal[').removesuffix(']')}"
    return IN_WORDS.get(short, short)
