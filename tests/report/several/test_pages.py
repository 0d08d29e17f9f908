"""Runs side by side, and the runs of a folder as a list."""

import json
import shutil
from pathlib import Path

import pytest
from html_page import Page
from report_files import change_table
from scipy.stats import binomtest

from cellxai.verbs.report import SeveralPage, report

ATTACK = "<img src=x onerror=alert(1)>"
N_JUDGED = 12


def write_predictions(run: Path, right: list[bool]) -> None:
    lines = ["id,part,label,predicted,confidence"]
    for number, is_right in enumerate(right):
        lines.append(f"test{number:03d},test,astro,{'astro' if is_right else 'cort'},0.9")
    (run / "evaluation" / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def pair(run: Path) -> list[Path]:
    """Two runs on the same data, of which the second has another rate and other predictions."""
    other = Path(shutil.copytree(run, run.parent / "other"))
    config = (other / "config.yaml").read_text(encoding="utf-8")
    (other / "config.yaml").write_text(config.replace("0.001", "0.005"), encoding="utf-8")
    write_predictions(run, [True] * N_JUDGED)
    write_predictions(other, [False] * 5 + [True] * (N_JUDGED - 5))
    return [run, other]


def test_accuracies_on_the_same_images_are_compared_in_pairs(pair):
    made = report(pair)
    assert isinstance(made, SeveralPage)
    assert made.path == pair[0] / "report" / "comparison.html"
    p = binomtest(0, 5).pvalue
    expected = f"0 are right here alone and 5 there alone (exact McNemar test, p = {p:.2g}"
    assert expected in Page(made.path).html


def test_accuracies_on_other_data_are_compared_as_shares(pair):
    path = pair[1] / "environment.json"
    environment = json.loads(path.read_text(encoding="utf-8"))
    environment["data"]["fingerprint"] = "sha256:other"
    path.write_text(json.dumps(environment), encoding="utf-8")
    html = Page(report(pair).path).html
    assert "judged on other images than sartorius; the accuracies differ by −41.7 points" in html
    assert "McNemar" not in html


def test_only_settings_that_differ_are_listed_and_density_and_ranks_stand_side_by_side(pair):
    page = Page(report(pair).path)
    settings = page.html.split('<h2 id="table-3">Settings')[1]
    assert settings.count("<tr>") == 2
    assert "training.learning_rate" in settings
    for words in ("phc_u373: AUROC", "known images flagged", "41.7 % of 12", "faithfulness: "):
        assert words in page.html
    assert page.open == []


def test_a_run_without_results_has_dashes_and_says_what_was_not_asked(pair):
    for name in ("evaluation", "density", "benchmark"):
        shutil.rmtree(pair[1] / name)
    page = Page(report(pair).path)
    assert "not compared, since `cellxai evaluate` was not called of both" in page.html
    assert "<td>–</td>" in page.html


def test_a_folder_of_runs_is_listed_with_links_that_lead_to_their_pages(pair):
    report(pair[0])
    shutil.rmtree(pair[1] / "report", ignore_errors=True)
    made = report(pair[0].parent)
    page = Page(made.path)
    assert made.path == pair[0].parent / "runs.html"
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert [(made.path.parent / link).resolve() for link in links] == [
        (pair[0] / "report" / "index.html").resolve()
    ]
    assert f"cellxai report --run {pair[1]}" in page.html
    assert "65 % to 99 %" in page.html


def test_pages_of_several_runs_are_one_file_with_the_policy_of_the_page(pair):
    policies = set()
    for made in (report(pair[0]), report(pair), report(pair[0].parent)):
        page = Page(made.path)
        policies |= {meta["content"] for meta in page.all("meta") if "http-equiv" in meta}
        assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
        assert page.open == []
    assert len(policies) == 1


def test_names_from_a_run_folder_stay_text(pair, tmp_path):
    odd = pair[1].rename(tmp_path / "<b>&'run")
    change_table(odd / "split.csv", label=ATTACK)
    for made in (report([pair[0], odd]), report(tmp_path)):
        page = Page(made.path)
        assert "<b>" not in page.html
        assert ATTACK not in page.html
        assert "&lt;b&gt;&amp;" in page.html


def test_wrong_folders_are_errors_of_one_line(pair, tmp_path):
    with pytest.raises(ValueError, match="is named twice, expected runs to compare"):
        report([pair[0], pair[0] / "."])
    empty = tmp_path / "empty"
    empty.mkdir()
    for folders in (empty, [pair[0], empty]):
        with pytest.raises(FileNotFoundError, match=r"empty: no config\.yaml in it, expected a"):
            report(folders)


def test_a_run_of_a_folder_that_leads_elsewhere_costs_one_line(pair, tmp_path):
    (pair[1] / "secret").symlink_to("/", target_is_directory=True)
    made = report(tmp_path)
    assert len(made.problems) == 1
    assert "is a link out of the run folder" in made.problems[0]
