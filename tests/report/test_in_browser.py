"""The page in a real browser: Chromium, driven by Playwright."""

import json
import re
from pathlib import Path

import pytest
from browsers import wait_until

from cellxai.verbs.report import report

pytestmark = pytest.mark.slow
ATTACK = "<img src=x onerror=alert(1)>"


class Opened:
    """A page of a run in a browser, with all that it said and asked for."""

    def __init__(self, browser, run: Path, width: int = 1280, scheme: str = "light") -> None:
        self.address = report(run).path.resolve().as_uri()
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(self.address)
        self.page.wait_for_selector("#browser figure.map canvas")

    def maps(self) -> list[str]:
        return self.page.locator("#browser figcaption strong").all_inner_texts()

    def pixels(self, number: int) -> list[int]:
        canvas = self.page.locator("#browser .stack canvas:not(.outlines)").nth(number)
        return canvas.evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        )


@pytest.fixture
def opened(chromium, run) -> Opened:
    return Opened(chromium, run)


def test_methods_are_picked_side_by_side_and_four_at_most(opened):
    page = opened.page
    boxes = page.locator("[data-part=methods] input")
    for number in range(boxes.count()):
        if not boxes.nth(number).is_checked() and boxes.nth(number).is_enabled():
            boxes.nth(number).check()
    wait_until(page, "document.querySelectorAll('#browser figure.map').length == 5")
    assert opened.maps()[0] == "image"
    assert page.locator("[data-part=methods] input:disabled").count() == boxes.count() - 4


def test_keys_move_through_the_images_and_the_address_brings_the_view_back(opened, chromium):
    page = opened.page
    page.locator(".thumbnail").first.focus()
    page.keyboard.press("ArrowRight")
    wait_until(page, "document.querySelector('[data-part=title]').textContent == 'test001'")
    assert "image=test001" in page.url
    page.goto("about:blank")
    page.goto(f"{opened.address}#image=test002&methods=saliency,lime&scale=common&outlines=1")
    wait_until(page, "document.querySelectorAll('#browser figure.map').length == 3")
    assert page.locator("[data-part=title]").inner_text() == "test002"
    assert opened.maps() == ["image", "saliency", "lime"]
    assert page.locator("[data-part=scale]").input_value() == "common"
    assert page.locator("[data-part=outlines]").is_checked()


def test_strength_and_a_common_scale_change_what_is_drawn(opened):
    page = opened.page
    page.goto("about:blank")
    page.goto(f"{opened.address}#image=test000&methods=lime,occlusion")
    wait_until(page, "document.querySelectorAll('#browser figure.map').length == 3")
    image, lime = opened.pixels(0), opened.pixels(1)
    # The map of occlusion is that of LIME times five: alike where each has its own scale.
    assert lime == pytest.approx(opened.pixels(2), abs=2)
    page.locator("[data-part=scale]").select_option("common")
    page.wait_for_timeout(300)
    assert opened.pixels(1) != lime  # the map of five times the evidence has the full colour now
    page.locator("[data-part=opacity]").fill("0")
    page.wait_for_timeout(300)
    greys = [0.3 * 255 + 0.7 * value for value in image[::4]]
    assert opened.pixels(1)[::4] == pytest.approx(greys, abs=1.01)


def test_filters_leave_the_images_that_are_asked_for(opened):
    page = opened.page
    page.locator("[data-part=filter-class]").select_option("cort")
    assert page.locator(".thumbnail").count() == 1
    assert page.locator("[data-part=count]").inner_text() == "1 of 3 images"
    page.locator("[data-part=filter-outcome]").select_option("wrong")
    assert page.locator(".thumbnail").count() == 0


def test_the_superpixel_under_the_pointer_says_its_sum(opened):
    canvas = opened.page.locator("#browser .stack").nth(1)
    canvas.scroll_into_view_if_needed()
    canvas.hover(position={"x": 5, "y": 5})
    wait_until(opened.page, "document.querySelector('.pointed')?.textContent")
    assert re.search(r"superpixel 0: [+−]\d", opened.page.locator(".pointed").first.inner_text())


def test_a_heading_sorts_by_number_and_a_word_filters_rows(opened):
    page = opened.page
    table = page.locator("#density table").first
    heading = table.locator("th button", has_text="images")
    for click, order in ((1, 1), (2, -1)):
        heading.click()
        numbers = [int(row) for row in table.locator("tbody td:nth-child(2)").all_inner_texts()]
        assert numbers == sorted(numbers, reverse=order < 0), click
    field = page.locator("#density input.filter").first
    rows = field.locator("xpath=following-sibling::div[1]").locator("tbody tr")
    field.fill("phc_u373")
    visible = [row for row in rows.all() if row.is_visible()]
    assert 0 < len(visible) < rows.count()
    assert all("phc_u373" in row.inner_text() for row in visible)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_said_asked_for_or_wider_than_the_screen(chromium, run, width, scheme):
    for path in (run / "explain" / "index.json", run / "split.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("astro", ATTACK), encoding="utf-8")
    opened = Opened(chromium, run, width, scheme)
    opened.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    opened.page.wait_for_timeout(300)
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [opened.address]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert ATTACK in opened.page.locator(".thumbnail").first.inner_text()
    assert json.loads(opened.page.locator("#browser-data").text_content() or "")["n_all"] == 3
