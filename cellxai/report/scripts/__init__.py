"""The scripts of the page, and the policy that lets these and no others run."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

SCRIPTS = ("browser.js", "tables.js", "tabs.js", "scrolling.js")


@cache
def page_script(names: tuple[str, ...] = SCRIPTS) -> Markup:
    """All scripts as the text of one script element."""
    folder = Path(__file__).parent
    texts = [(folder / name).read_text(encoding="utf-8") for name in names]
    return Markup("\n" + "\n".join(texts))


def script_hash(names: tuple[str, ...] = SCRIPTS) -> str:
    """The source expression of the page's policy that allows these scripts alone."""
    digest = sha256(str(page_script(names)).encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"
