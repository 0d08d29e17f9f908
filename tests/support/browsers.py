"""Chromium of the system, driven by Playwright."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
VIOLATIONS = "{resultTypes: ['violations']}"


@contextmanager
def open_chromium() -> Iterator:
    """The browser, closed at the end; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium: `make browser` installs it")
    root = ["--no-sandbox"] if os.getuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *root])
        yield browser
        browser.close()


def find_faults(page) -> list[str]:
    """What axe-core finds wrong with a page, all that is folded up or behind a tab included."""
    package = pytest.importorskip(
        "axe_playwright_python", reason="axe-playwright-python, which has axe-core, is missing"
    )
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.wait_for_timeout(300)
    axe = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(axe)  # the page's own policy lets no other script in
    found = page.evaluate(f"axe.run(document, {VIOLATIONS})")["violations"]
    for number in range(1, page.locator("[role=tab]").count()):
        page.locator("[role=tab]").nth(number).click()
        panel = f"axe.run('[role=tabpanel]:not(.unchosen)', {VIOLATIONS})"
        found += page.evaluate(panel)["violations"]
    return [f"{fault['id']}: {node['html'][:200]}" for fault in found for node in fault["nodes"]]


def wait_until(page, expression: str, seconds: float = 60) -> None:
    """Waits for an expression; Playwright's own way needs ``eval``, which the policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"not within {seconds} s: {expression}"
        page.wait_for_timeout(50)
