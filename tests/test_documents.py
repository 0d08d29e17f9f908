"""Whatever README, docs, configs and scripts name of the code is there, under that name."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("configs/**/*.yaml"),
        *REPOSITORY.glob("scripts/**/*.py"),
    ]
)
NAME = re.compile(r"(?<![\w./@-])(?:cellxai|gmm)(?:\.[A-Za-z_]\w*)+(?![\w/-])")
PATH = re.compile(r"(?<![\w./-])(?:[\w-]+/)+(?:[\w-]+\.py\b)?")
ROOMS = ("cellxai", "gmm", "tests", "scripts", "configs", "docs")
PAGES = [path for path in DOCUMENTS if path.suffix == ".md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def named_objects(text: str) -> set[str]:
    """Every ``cellxai.…`` or ``gmm.…`` of a text that is not the name of a file."""
    return {name for name in NAME.findall(text) if not name.endswith((".py", ".git", ".md"))}


def named_paths(text: str) -> set[str]:
    """Every Python file with its folder, and every folder of this repository, that a text names.

    ``PATH/TO/…`` stands for a place of the reader's own.
    """
    paths = PATH.findall(text)
    return {
        path
        for path in paths
        if path.split("/")[0] in ROOMS or (path.endswith(".py") and not path.startswith("PATH/"))
    }


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or leads through modules to an attribute."""
    for inner, outer in splits(name):
        try:
            value = import_module(outer)
        except ModuleNotFoundError:
            continue
        for attribute in inner:
            if not hasattr(value, attribute):
                return False
            value = getattr(value, attribute)
        return True
    return False


def broken_links(page: Path) -> list[str]:
    """Links of a page that lead to no file, or to no heading of one."""
    links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))
    inside = [link for link in links if "://" not in link]
    return [link for link in inside if not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a link of a page leads to a file, and to a heading of it if it names one."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def splits(name: str) -> Iterator[tuple[list[str], str]]:
    """A dotted name as attributes of a module, the longest module first."""
    parts = name.split(".")
    for n_outer in range(len(parts), 0, -1):
        yield parts[n_outer:], ".".join(parts[:n_outer])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
class TestEveryDocument:
    def test_names_only_code_that_is_there(self, document):
        names = named_objects(document.read_text(encoding="utf-8"))
        assert [name for name in sorted(names) if not exists(name)] == []

    def test_names_only_files_and_folders_that_are_there(self, document):
        paths = named_paths(document.read_text(encoding="utf-8"))
        assert [path for path in sorted(paths) if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_inside_leads_somewhere(page):
    assert broken_links(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A heading\n[a](page.md#a-heading) [b](#none) [c](c.md) `[d](d.md)`\n")
    assert broken_links(page) == ["#none", "c.md"]


def test_a_stale_name_or_path_would_be_told_from_a_good_one():
    text = "`cellxai.subjects.Subject`, cellxai.cli, `cellxai/cli.py`, density/places.py, my_lab.py"
    assert named_objects(text) == {"cellxai.subjects.Subject", "cellxai.cli"}
    assert named_paths(text) == {"cellxai/cli.py", "density/places.py"}
    assert (exists("cellxai.cli.VERBS"), exists("cellxai.subjects.Subject")) == (True, False)
    assert not exists("cellxai.cli.NO_SUCH")
