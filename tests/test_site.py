"""``make docs`` builds a site without a warning, with every public name on it."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import cellxai.api
import gmm

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the built pages; a warning would be an error."""
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason=f"the site is built by {package}, of the extra 'dev'")
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    built = subprocess.run(
        [*words, "-d", out / "doctrees", REPOSITORY / "docs", out / "html"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return out / "html"


@pytest.mark.slow
class TestSite:
    def test_every_page_is_reached_from_the_first(self, site):
        pages = {path.stem for path in REPOSITORY.glob("docs/*.md")} - {"index"}
        first = (site / "index.html").read_text(encoding="utf-8")
        assert {page for page in pages if f'href="{page}.html"' not in first} == set()

    @pytest.mark.parametrize(
        ("page", "module"), [("api_verbs", cellxai.api), ("api_gmm", gmm)], ids=["verbs", "gmm"]
    )
    def test_every_public_name_has_its_entry(self, site, page, module):
        text = (site / f"{page}.html").read_text(encoding="utf-8")
        entries = {name for name in module.__all__ if f'id="{module.__name__}.{name}"' in text}
        assert {*module.__all__} - entries == set()

    def test_shapes_are_shown_as_the_code_writes_them(self, site):
        text = re.sub("<[^>]+>", "", (site / "api_explain.html").read_text(encoding="utf-8"))
        assert re.search(r"values \(Float\[Tensor, .{1,7}b h w", text)

    def test_notebooks_are_shown_with_their_pictures(self, site):
        for page in ("notebook_my_model", "notebook_mixtures"):
            text = (site / f"{page}.html").read_text(encoding="utf-8")
            assert text.count("data:image/png;base64") >= 3

    @pytest.mark.parametrize(
        ("page", "name"),
        [("notebook_my_model", "explain_my_model"), ("notebook_mixtures", "mixtures")],
    )
    def test_cells_of_a_notebook_are_shown_in_its_order(self, site, page, name):
        text = unescape(re.sub("<[^>]+>", "", (site / f"{page}.html").read_text(encoding="utf-8")))
        cells = json.loads((REPOSITORY / f"docs/{name}.ipynb").read_text(encoding="utf-8"))["cells"]
        place = 0
        for cell in cells[1:]:
            first = cell["source"][0].strip().removeprefix("## ")[:20]
            assert first in text[place:]
            place = text.index(first, place)

    def test_nothing_is_fetched_from_elsewhere(self, site):
        for page in sorted(site.glob("*.html")):
            text = page.read_text(encoding="utf-8")
            assert 'src="http' not in text
            assert 'rel="stylesheet" href="http' not in text
