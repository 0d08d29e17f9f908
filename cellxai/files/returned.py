"""What a verb gives back to Python: its text and pictures in a notebook, or in a viewer."""

import io
import sys
from base64 import b64encode
from html import escape
from pathlib import Path
from typing import Any, ClassVar

MOST_PICTURES = 12  # of one answer in a notebook


class Returned:
    """A result that prints as the command line prints it, with the pictures of its folder.

    Attributes:
        pictures: Pattern of the pictures in ``folder`` that are shown; empty for none.
    """

    pictures: ClassVar[str] = ""

    def picture_paths(self) -> list[Path]:
        """The pictures that belong to it, in the order of their names."""
        folder = getattr(self, "folder", None)
        return sorted(folder.glob(self.pictures)) if self.pictures and folder else []

    def show(self) -> None:
        """Prints it and shows its pictures: below the cell of a notebook, or in a viewer."""
        print(self)
        for path in self.picture_paths():
            show_picture(path.read_bytes())

    def _repr_html_(self) -> str:
        paths = self.picture_paths()
        more = len(paths) - MOST_PICTURES
        note = f"\n{more} more pictures in {paths[0].parent}" if more > 0 else ""
        shown = [picture_tag(path.read_bytes(), path.stem) for path in paths[:MOST_PICTURES]]
        return f"<pre>{escape(f'{self}{note}')}</pre>{''.join(shown)}"


def picture_tag(png: bytes, name: str) -> str:
    """A PNG inside a page."""
    content = b64encode(png).decode()
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{content}">'


def show_picture(png: bytes) -> None:
    """Shows a picture below the cell of a notebook, or in the viewer of the system."""
    shell: Any = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        from IPython.display import Image, display  # pyright: ignore[reportMissingImports]

        display(Image(data=png))
        return
    from PIL import Image as Pillow

    Pillow.open(io.BytesIO(png)).show()
