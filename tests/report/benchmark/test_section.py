"""The section of the page about which explanation can be believed."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cellxai.adapters.benchmark_pictures import draw_results
from cellxai.explain.tables.export import write_results
from cellxai.files.folder import RunFolder
from cellxai.report.benchmark.section import benchmark_section
from cellxai.verbs.report import report


def section(run: Path) -> str:
    page = report(run).path.read_text(encoding="utf-8")
    return page.split('<section id="benchmark"')[1].split("</section>")[0]


def test_it_opens_with_who_beats_the_controls_in_which_family(run):
    content = benchmark_section(RunFolder(run), "").content
    assert [family.name for family in content.families] == ["faithfulness", "localisation"]
    faithfulness, localisation = content.families
    assert faithfulness.winners == ("lime", "saliency", "occlusion", "grad_cam")
    assert faithfulness.sentence == (
        "lime, saliency, occlusion and grad_cam beat every control; 1 could not be tested."
    )
    assert localisation.ranked.startswith("over 9 images, Friedman p < 0.001")
    text = section(run)
    assert "<strong>Faithfulness</strong>: lime, saliency" in text


def test_controls_stand_last_and_are_marked_and_the_best_has_a_star(run):
    family = benchmark_section(RunFolder(run), "").content.families[0]
    assert [line.explainer for line in family.lines][-2:] == ["edges", "random"]
    assert [line.control for line in family.lines][-3:] == [False, True, True]
    assert family.lines[0].best == (True, True)
    assert not any(any(line.best) for line in family.lines[1:])
    assert "edges <small>control</small>" in section(run)


def test_chance_troubles_and_costs_are_told(run):
    content = benchmark_section(RunFolder(run), "").content
    assert content.families[1].columns[0].chance == 0.033
    troubles = {trouble.explainer: dict(zip(content.statuses, trouble.counts, strict=True))
                for trouble in content.troubles}  # fmt: skip
    assert troubles["grad_cam"]["degenerate"] == 3
    assert troubles["guided_backprop"]["unsupported"] == 12 + 12 + 9
    assert set(troubles) == {"grad_cam", "guided_backprop"}
    text = section(run)
    for phrase in ("no ReLU to override", "6.1 s", "0.033", "3 degenerate"):
        assert phrase in text.replace('<td class="n">3</td>', "3 degenerate"), phrase


def test_pictures_stand_with_their_family(run, invented_results):
    assert "<img" not in section(run)
    draw_results(run / "benchmark", invented_results)
    content = benchmark_section(RunFolder(run), "").content
    assert [len(family.pictures) for family in content.families] == [2, 2]
    assert len(content.overview) == 2
    assert section(run).count("<img") == 6


def test_a_picture_outside_the_run_folder_is_not_embedded(run):
    listed = '[{"file": "../../secret.png", "family": "", "alt": "x"}]'
    (run / "benchmark" / "pictures.json").write_text(listed, encoding="utf-8")
    assert "lies outside the run folder" in section(run)


def test_names_and_reasons_are_shown_as_they_are(invented_results, run):
    attack = "<b>x</b>"
    rows = [
        replace(row, explainer=attack if row.explainer == "lime" else row.explainer,
                reason=attack, status="degraded")
        for row in invented_results.rows
    ]  # fmt: skip
    measures = {
        name: replace(measure, family=attack) for name, measure in invented_results.measures.items()
    }
    write_results(run / "benchmark", replace(invented_results, rows=rows, measures=measures))
    text = section(run)
    assert attack not in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text


@pytest.mark.parametrize("name", ["ranks.csv", "cost.csv", "pictures.json"])
def test_a_broken_file_beside_the_table_costs_one_line(run, name):
    (run / "benchmark" / name).write_text("nonsense\n1,2\n", encoding="utf-8")
    assert f"benchmark/{name} cannot be shown" in section(run)


@pytest.mark.parametrize("name", ["ranks.csv", "cost.csv"])
def test_a_file_that_is_not_there_is_no_problem(run, name):
    (run / "benchmark" / name).unlink()
    assert "cannot be shown" not in section(run)


def test_each_score_that_was_explained_has_its_own_section(run):
    for name in ("density", "log_odds"):
        shutil.copytree(run / "benchmark", run / name)
        shutil.move(run / name, run / "benchmark" / name)
    (run / "benchmark" / "empty").mkdir()
    made = report(run)
    page = made.path.read_text(encoding="utf-8")
    assert re.findall(r'<section id="(benchmark.*?)"', page) == [
        "benchmark", "benchmark-density", "benchmark-log_odds",
    ]  # fmt: skip
    assert "Benchmark of the log odds: can the explanation be believed?</h2>" in page
    assert '<a href="#benchmark-density">Benchmark of the density</a>' in page
    assert page.count("explainers that beat the controls") == 1


def test_that_images_are_too_few_is_said_once(run):
    path = run / "benchmark" / "ranks.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r",(yes|no),(?=[^,]*$)", ",untestable,", text, flags=re.M), "utf-8")
    content = benchmark_section(RunFolder(run), "").content
    assert content.untested == ("faithfulness", "localisation")
    text = section(run)
    assert text.count("Too few images") == 1
    assert "could be tested" not in text


def test_every_score_with_an_interval_is_a_bar_inside_its_width(run):
    text = section(run)
    content = benchmark_section(RunFolder(run), "").content
    n_scores = sum(
        cell is not None and cell.mean == cell.mean
        for family in content.families
        for line in family.lines
        for cell in line.cells
    )
    assert text.count('<svg class="bar"') == n_scores
    for x, width in re.findall(r'<rect class="range" x="([\d.-]+)" y="2.5" width="([\d.]+)"', text):
        assert float(x) >= 0
        assert float(x) + float(width) <= 100.6
