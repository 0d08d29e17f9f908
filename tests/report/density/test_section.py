"""The section about the density."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from cellxai.files.folder import RunFolder
from cellxai.report.density.detectors import read_detectors
from cellxai.report.density.section import density_section
from cellxai.report.density.threshold import MeasuredThreshold, Promise, read_promise
from cellxai.verbs.report import report

NEW = ("reliability.csv", "detectors.csv", "gap.png", "reliability.png", "detectors.png")


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "sartorius"))


def read_section(run: Path):
    return density_section(RunFolder(run), "cellxai density").content


def section(run: Path) -> str:
    html = report(run).path.read_text(encoding="utf-8")
    return html.split('<section id="density"')[1].split("<section ")[0]


def change_summary(run: Path, **values) -> None:
    path = run / "density" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")


def change_table(path: Path, **values: str) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row | values for row in csv.DictReader(file)]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_the_first_sentences_say_what_is_flagged_and_what_is_memory(run):
    sentences = read_section(run).sentences
    assert sentences[0] == "0.0 % of 12 test images are flagged, and 100.0 % of phc_u373."
    assert sentences[1] == "Images of the fit score 2.3 nats above unseen ones (medians)."


def test_many_sets_are_counted_in_the_sentence_and_listed_in_the_table(run):
    blurred = {"n_images": 9, "share_flagged": 0.5, "median": -50.0}
    test = {"n_images": 12, "share_flagged": 0.25, "median": -22.0}
    sets = {"out of fold": test, **{f"blur {number}": blurred for number in range(5)}}
    change_summary(run, sets=sets, auroc={})
    first = read_section(run).sentences[0]
    assert first.startswith("25.0 % of 12 out of fold images are flagged, and 50.0 % of blur 0,")
    assert first.endswith("50.0 % of blur 2 (2 more sets in the table).")
    assert all(f'<th scope="row">blur {number}</th>' in section(run) for number in range(5))


def test_a_promise_is_kept_where_the_interval_holds_the_nominal_share(run):
    promise, problem = read_promise(RunFolder(run), nominal_percent=4.0)
    assert promise is not None
    assert problem == ""
    assert [row.kept for row in promise.rows] == [True, False]
    assert promise.verdict == (
        "Set to flag 4.0 % of known images, the threshold flags 41.7 % of 12 that it has not seen "
        "(95 % interval 19.3 % to 68.1 %): not what was promised."
    )
    kept = MeasuredThreshold(0.04, 0.05, (0.02, 0.1), 100)
    assert Promise((kept,), kept, None).verdict.endswith(": as promised.")


def test_detectors_are_ranked_and_the_best_of_each_set_is_marked(run):
    detectors, _ = read_detectors(RunFolder(run))
    assert detectors is not None
    assert detectors.names == ("density", "energy")
    assert detectors.sets[0].best == ("density",)
    text = section(run)
    assert "★ 0.993" in text
    assert "★ 0.612" not in text
    assert "0.893 to 0.993" in text


def test_figures_that_are_no_number_are_dashes_and_never_the_best(run):
    change_table(run / "density" / "detectors.csv", auroc="nan", auroc_low="nan", auroc_high="nan")
    detectors, problem = read_detectors(RunFolder(run))
    assert detectors is not None
    assert problem == ""
    assert detectors.sets[0].best == ()
    assert "– to –" in section(run)


def test_a_run_of_an_older_version_is_shown_without_what_it_lacks(run):
    for name in NEW:
        (run / "density" / name).unlink()
    summary = json.loads((run / "density" / "summary.json").read_text())
    del summary["gap_nats"]
    (run / "density" / "summary.json").write_text(json.dumps(summary))
    assert density_section(RunFolder(run), "").problem == ""
    text = section(run)
    assert "cannot be shown" not in text
    assert "keep its promise" not in text
    assert "Against other detectors" not in text
    assert "Share flagged as unfamiliar" in text


@pytest.mark.parametrize("name", ["reliability.csv", "detectors.csv"])
@pytest.mark.parametrize("content", [b"", b"{}", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_broken_table_costs_one_line_and_leaves_the_rest(run, name, content):
    (run / "density" / name).write_bytes(content)
    text = section(run)
    assert text.count("cannot be shown") == 1
    assert f"density/{name} cannot be shown" in text
    assert "Share flagged as unfamiliar" in text


@pytest.mark.parametrize("name", ["projection", "selection", "anomalies", "clusters", "generated"])
def test_every_picture_that_was_drawn_is_on_the_page(run, name):
    before = section(run).count("<img")
    shutil.copy(run / "density" / "gap.png", run / "density" / f"{name}.png")
    assert section(run).count("<img") == before + 1


def test_names_are_text_and_never_markup(run):
    attack = "<script>alert('x')</script>"
    change_table(run / "density" / "detectors.csv", set=attack, detector=attack)
    change_table(run / "density" / "scores.csv", id=attack)
    text = section(run)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4
