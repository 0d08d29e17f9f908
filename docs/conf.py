"""How ``make docs`` builds the site: the pages beside this file, and an API from docstrings."""

import sys
from pathlib import Path
from typing import Any

import numpy.typing
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

project = "cellxai"
author = "The cellxai authors"
copyright = author
html_title = "cellxai"
html_theme = "furo"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser", "notebook_page"]
exclude_patterns = ["_build", "*.ipynb"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"  # shapes in a signature would fill three lines
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True  # as the code writes them, not as objects print
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False


class ArrayLike:
    """What numpy can read as an array: its name, where signatures would print the whole union."""

    __module__ = "numpy.typing"


numpy.typing.ArrayLike = ArrayLike  # before the packages that are described are imported


def is_from_elsewhere(
    app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Whether a member is inherited of torch or scikit-learn, whose own pages describe it."""
    home = getattr(member, "__module__", None) or ""
    return skip or not home.startswith(("cellxai", "gmm")) or None


def setup(app: Sphinx) -> None:
    """Told by Sphinx to add what this file has."""
    app.connect("autodoc-skip-member", is_from_elsewhere)
    app.add_lexer("csv", TextLexer)
