"""A directive that shows an executed notebook: its words, code, and what the code has shown."""

import json
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PICTURE = '<img alt="What the code above draws" src="data:image/png;base64,{}">'


class NotebookPage(SphinxDirective):
    """``notebook-page`` with the name of a notebook that lies beside the page."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """The cells of the notebook in order, the title of its first cell left to the page."""
        path = Path(self.env.doc2path(self.env.docname)).with_name(self.arguments[0])
        self.env.note_dependency(str(path))
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [node for cell in cells for node in self.nodes_of(cell)]

    def nodes_of(self, cell: dict[str, Any]) -> list[nodes.Node]:
        """A cell, and below it what it has shown."""
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            return self.parse_text_to_nodes(without_title(source), allow_section_headings=True)
        shown = [node for output in cell["outputs"] for node in output_nodes(output)]
        return [nodes.literal_block(source, source, language="python"), *shown]


def without_title(text: str) -> str:
    """The words of a cell less a heading of the first level."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("# "))


def output_nodes(output: dict[str, Any]) -> list[nodes.Node]:
    """What a cell printed as text; pictures and tables as the notebook keeps them."""
    data = output.get("data", {})
    if "text/html" in data:
        return [nodes.raw("", "".join(data["text/html"]), format="html")]
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return [nodes.raw("", PICTURE.format(picture), format="html")]
    text = "".join(output.get("text", data.get("text/plain", []))).rstrip()
    return [nodes.literal_block(text, text, language="text")] if text else []


def setup(app: Sphinx) -> dict[str, bool]:
    """Told by Sphinx to add what the module has."""
    app.add_directive("notebook-page", NotebookPage)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
