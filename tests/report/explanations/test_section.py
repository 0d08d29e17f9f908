"""The section about the explanations: pictures that anybody may have edited."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from html_page import Page
from markupsafe import Markup

from cellxai.files.folder import RunFolder
from cellxai.report.explanations import section
from cellxai.verbs.report import report


def test_half_a_surrogate_pair_in_a_label_is_no_crash(run):
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    saved["images"][0]["label"] = "\ud800"
    index.write_text(json.dumps(saved), encoding="utf-8")
    assert report(run).problems == ()


def rename_picture(run: Path, name: str) -> Page:
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    saved["images"][0]["lime"] = name
    index.write_text(json.dumps(saved), encoding="utf-8")
    return Page(report(run).path)


@pytest.fixture
def secret(run: Path, finished_run: Path) -> Path:
    return Path(shutil.copy(finished_run / "curves.png", run.parent / "secret.png"))


def test_a_picture_inside_the_run_folder_is_embedded(run):
    assert len(rename_picture(run, "../curves.png").all("img")) == 15


@pytest.mark.parametrize("name", ["../../secret.png", "{folder}/secret.png", "link.png"])
def test_a_picture_outside_the_run_folder_is_named_and_not_embedded(run, secret, name):
    (run / "explain" / "link.png").symlink_to(secret)
    page = rename_picture(run, name.format(folder=run.parent))
    assert "lies outside the run folder" in page.section("explanations")
    assert len(page.all("img")) == 14


def test_a_run_folder_reached_through_a_link_is_no_way_out(run, tmp_path):
    (tmp_path / "latest").symlink_to(run)
    page = Page(report(tmp_path / "latest").path)
    assert len(page.all("img")) == 15


@pytest.mark.parametrize("name", ["gone.png", "a\0b.png", "x" * 5000, "index.json", "."])
def test_a_picture_that_is_none_costs_one_line(run, name):
    page = rename_picture(run, name)
    assert "cannot be shown" in page.section("explanations")
    assert len(page.all("img")) == 14


def test_one_broken_entry_leaves_the_other_images(run):
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    saved["images"][0] = {"id": "test000"}
    saved["images"].append(None)
    index.write_text(json.dumps(saved), encoding="utf-8")
    page = Page(report(run).path)
    assert page.section("explanations").count("cannot be shown") == 2
    assert len(page.all("img")) == 13


def test_images_that_the_browser_alone_shows_are_counted_and_their_doubts_told(run, monkeypatch):
    index = run / "explain" / "index.json"
    saved = json.loads(index.read_text(encoding="utf-8"))
    others = [json.loads(json.dumps(saved["images"][0])) | {"id": f"more{i}"} for i in range(5)]
    next(iter(others[-1]["explainers"].values())).update(status="degraded", reason="by far")
    saved["images"] = others
    index.write_text(json.dumps(saved), encoding="utf-8")
    shown = SimpleNamespace(ids={entry["id"] for entry in others}, script_data=Markup(""))
    monkeypatch.setattr(section, "browser_data", lambda *_: shown)
    made = section.explanation_section(RunFolder(run), "cellxai explain")
    assert len(made.content.images) == section.MOST_DRAWN
    assert made.cards[0].detail == "compared on 5 images"
    assert any("degraded on this network: by far" in str(doubt) for doubt in made.doubts)
