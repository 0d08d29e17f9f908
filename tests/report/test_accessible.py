"""The rules of axe-core on every page, at both widths, dark and light; and the page on paper."""

import shutil
from pathlib import Path

import pytest
from browsers import find_faults

from cellxai.adapters.benchmark_pictures import draw_results
from cellxai.verbs.report import report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(finished_run, invented_results, tmp_path_factory) -> list[Path]:
    """The page of a run, that of two and that of a folder."""
    folder = tmp_path_factory.mktemp("pages")
    runs = [Path(shutil.copytree(finished_run, folder / name)) for name in ("one", "two")]
    draw_results(runs[0] / "benchmark", invented_results)
    return [report(asked).path for asked in (runs[0], runs, folder)]


@pytest.mark.parametrize(
    ("place", "width", "scheme"),
    [
        (0, 390, "light"),
        (0, 1280, "dark"),
        (0, 1280, "light"),
        (1, 390, "dark"),
        (2, 1280, "light"),
    ],
)
def test_axe_finds_nothing_wrong(chromium, pages, place, width, scheme):
    """Of the pages of a run, of two runs, of a folder."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(pages[place].as_uri())
    assert find_faults(page) == []
    context.close()


def test_tabs_show_one_family_and_arrow_keys_move(chromium, pages):
    page = chromium.new_page()
    page.goto(pages[0].as_uri())
    tabs, panels = page.locator("[role=tab]"), page.locator("[role=tabpanel]")
    assert [panel.is_visible() for panel in panels.all()] == [True, False]
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    assert [panel.is_visible() for panel in panels.all()] == [False, True]
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.textContent") == tabs.nth(1).inner_text()


def test_on_paper_every_family_is_there_and_nothing_is_wider_than_the_sheet(chromium, pages):
    page = chromium.new_page(viewport={"width": 718, "height": 1000})  # A4 within its margins
    page.goto(pages[0].as_uri())
    page.emulate_media(media="print")
    assert all(panel.is_visible() for panel in page.locator("[role=tabpanel]").all())
    assert not page.locator("nav").first.is_visible()
    assert not page.locator("[role=tablist]").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.evaluate(
        "[...document.querySelectorAll('main img')].every((image) => image.height <= 760)"
    )
