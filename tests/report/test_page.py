"""The report page."""

import json
import re
import shutil
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from html_page import Page

from cellxai.verbs.report import report

SECTIONS = ("data", "training", "evaluation", "density", "explanations", "benchmark")
RESULTS = {  # the file that a section lives on
    "data": "split.csv",
    "training": "metrics.csv",
    "evaluation": "evaluation/report.json",
    "density": "density/summary.json",
    "explanations": "explain/index.json",
    "benchmark": "benchmark/table.csv",
}
ATTACK = "<script>alert('x')</script>\"><img src=x>"


def test_the_page_of_a_finished_run_has_every_section_and_lacks_nothing(finished_run):
    made = report(finished_run)
    page = Page(made.path)
    assert made.path == finished_run / "report" / "index.html"
    assert made.n_bytes == made.path.stat().st_size
    assert (made.missing, made.problems) == ((), ())
    assert page.open == []
    assert {*SECTIONS, "rerun"} <= {attributes.get("id") for attributes in page.all("section")}
    assert "cannot be shown" not in page.html


def test_the_page_is_one_file_that_fetches_nothing_and_runs_its_own_script_alone(finished_run):
    page = Page(report(finished_run).path)
    pictures = page.all("img")
    assert len(pictures) == 9 + 2 * 3
    kinds = ("data:image/png;base64,", "data:image/webp;base64,")
    assert all(picture["src"].startswith(kinds) for picture in pictures)
    assert all(picture["alt"] for picture in pictures)
    assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert "http:" not in page.html
    assert "https:" not in page.html
    policy = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    (script,) = re.findall("<script>(.*?)</script>", page.html, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    ]
    assert "url(" not in page.html


def test_every_link_leads_to_a_place_on_the_page(finished_run):
    page = Page(report(finished_run).path)
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= places


def test_every_table_names_its_columns_and_rows(finished_run):
    page = Page(report(finished_run).path)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))


def test_the_page_says_what_the_files_say(finished_run):
    page = Page(report(finished_run).path)
    assert "11 of 12 test images; 95 % interval 65 % to 99 %" in page.html
    assert "tf_efficientnetv2_b0" in page.html
    assert "train.csv row 17" in page.section("data")
    assert "test007" in page.section("evaluation")
    assert "test000" not in page.section("evaluation")
    assert "9 calibration images are few" in page.section("density")
    assert "no ReLU to override" in page.section("explanations")
    assert "★ 0.500" in page.section("benchmark")


def test_a_run_that_was_only_trained_says_which_command_makes_the_rest(run):
    for folder in ("evaluation", "density", "explain", "benchmark"):
        shutil.rmtree(run / folder)
    made = report(run)
    commands = [f"cellxai {verb} --run {run}" for verb in ("evaluate", "explain")]
    smoke = f"cellxai benchmark --config configs/benchmark/smoke.yaml --run {run}"
    assert made.missing == (*commands, smoke, f"cellxai density --run {run}")
    page = Page(made.path)
    assert all(command in page.html for command in made.missing)
    assert all(f"not in it yet: {command}" in str(made) for command in made.missing)


def test_the_benchmark_that_is_named_asks_no_scene_of_images_that_were_not_rendered(run):
    shutil.rmtree(run / "benchmark")
    saved = json.loads((run / "environment.json").read_text())
    saved["data"]["synthetic"] = False
    (run / "environment.json").write_text(json.dumps(saved))
    smoke = f"cellxai benchmark --config configs/benchmark/smoke.yaml --truth null --run {run}"
    assert smoke in report(run).missing


def test_a_run_with_nothing_but_its_config_has_a_page(run):
    for path in run.iterdir():
        if path.name != "config.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert report(run).problems == ()


@pytest.mark.parametrize("section", RESULTS)
@pytest.mark.parametrize("content", [b"", b"{}", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_broken_file_costs_its_own_section_and_one_line(run, section, content):
    (run / RESULTS[section]).write_bytes(content)
    made = report(run)
    page = Page(made.path)
    assert len(made.problems) == 1
    assert Path(RESULTS[section]).name in made.problems[0]
    assert "\n" not in made.problems[0]
    for other in SECTIONS:
        assert ("cannot be shown" in page.section(other)) == (other == section)


def test_broken_lists_beside_a_sound_report_are_named(run):
    (run / "evaluation" / "predictions.csv").write_text("id\n1\n", encoding="utf-8")
    (run / "density" / "scores.csv").unlink()
    page = Page(report(run).path)
    assert "predictions.csv cannot be shown" in page.section("evaluation")
    assert "scores.csv is missing" in page.section("density")


def test_labels_ids_and_notes_are_text_and_never_markup(run):
    for path in [*run.rglob("*.json"), *run.rglob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        quoted = json.dumps(ATTACK)[1:-1] if path.suffix == ".json" else ATTACK.replace('"', "'")
        path.write_text(quoted.join(re.split(r"\bastro\b|\blime\b(?=,)", text)), "utf-8")
    made = report(run)
    page = Page(made.path)
    assert made.problems == ()
    assert [script.get("type") for script in page.all("script")] == ["application/json", None]
    assert all(picture["src"].startswith("data:") for picture in page.all("img"))
    assert "&lt;script&gt;" in page.section("data")
    assert "&lt;script&gt;" in page.section("explanations")
