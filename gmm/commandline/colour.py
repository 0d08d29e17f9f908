"""Warnings in colour, where a person reads them."""

import os
from typing import TextIO

WARNING = "warning:"  # what the line of a warning begins with
YELLOW, PLAIN = "\033[33m", "\033[0m"


def paint_warnings(text: str, stream: TextIO) -> str:
    """The text with its warnings in yellow, if the stream is a terminal that may show colours.

    A variable ``NO_COLOR`` that is not empty forbids them (https://no-color.org), as does
    ``TERM=dumb``.
    """
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    lines = text.split("\n")
    return "\n".join(
        f"{YELLOW}{line}{PLAIN}" if line.startswith(WARNING) else line for line in lines
    )
