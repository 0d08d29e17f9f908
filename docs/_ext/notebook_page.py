"""Shows an executed notebook as a part of a page: its words, code, and what the code has shown.

A page asks for it by an empty block of code of the kind ``{notebook-page} NAME.ipynb``. The
notebook takes the block's place as Markdown before the page is parsed, so that its headings are
those of the page.
"""

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

BLOCK = re.compile(r"^```\{notebook-page\} (\S+)\n```$", re.MULTILINE)
PICTURE = '<img alt="What the code above draws" src="data:image/png;base64,{}">'


def insert_notebooks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Puts notebooks into the text of a page where it asks for them."""
    folder = Path(app.env.doc2path(docname)).parent
    for name in BLOCK.findall(source[0]):
        app.env.note_dependency(str(folder / name))
    source[0] = BLOCK.sub(lambda block: markdown_of(folder / block[1]), source[0])


def markdown_of(path: Path) -> str:
    """The cells of a notebook in order, its title left to the page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in parts_of(cell))


def parts_of(cell: dict[str, Any]) -> list[str]:
    """A cell, and below it what it has shown."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [re.sub("^# .*\n", "", source)]
    shown = [block(*output) for output in map(output_of, cell["outputs"]) if output[1]]
    return [block("python", source), *shown]


def block(kind: str, text: str) -> str:
    """A block of code, or a directive."""
    return f"`````{kind}\n{text}\n`````"


def output_of(output: dict[str, Any]) -> tuple[str, str]:
    """Kind and content of what a cell shows: text, or the HTML of a picture or table."""
    data = output.get("data", {})
    if "text/html" in data:
        return "{raw} html", "".join(data["text/html"])
    if "image/png" in data:
        return "{raw} html", PICTURE.format("".join(data["image/png"]).replace("\n", ""))
    return "text", "".join(output.get("text", data.get("text/plain", []))).rstrip()


def setup(app: Sphinx) -> dict[str, bool]:
    """Told by Sphinx to add what the module has."""
    app.connect("source-read", insert_notebooks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
