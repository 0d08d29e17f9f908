"""The section about the density."""

import json
import shutil
from pathlib import Path

import pytest
from report_files import change_table, section_of

from cellxai.files.folder import RunFolder, read_csv, write_csv
from cellxai.report.density.section import density_section

NEW = ("reliability.csv", "detectors.csv", "reliability.png", "detectors.png")


def read_section(run: Path):
    return density_section(RunFolder(run), "cellxai density").content


def change_summary(run: Path, **values) -> None:
    path = run / "density" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")


def test_the_section_names_in_words_what_the_view_that_found_them_sees(run):
    section = density_section(RunFolder(run), "cellxai density")
    assert "of phc_u373 (AUROC 1.000), found by blocks.0 (texture and focus)." in (
        section.content.sentence
    )
    assert section.content.sentence in section_of(run, "density")
    assert section.cards[0].value == "100.0 %"
    assert section.cards[0].detail.endswith("; 1 warning in the section below")


def test_many_sets_are_counted_in_the_sentence_and_listed_in_the_table(run):
    blurred = {
        "n_images": 9,
        "share_flagged": 0.5,
        "median": -50.0,
        "most_surprised": {"pixels": 9},
    }
    test = {"n_images": 12, "share_flagged": 0.25, "median": -22.0, "most_surprised": {"pixels": 9}}
    sets = {"out of fold": test, **{f"blur {number}": blurred for number in range(5)}}
    change_summary(run, sets=sets, auroc={})
    sentence = read_section(run).sentence
    assert "it flags 50.0 % of blur 0, found by pixels, and 50.0 % of blur 1" in sentence
    assert sentence.endswith("50.0 % of blur 2, found by pixels (2 more sets in the table).")
    assert all(
        f'<th scope="row">blur {number}</th>' in section_of(run, "density") for number in range(5)
    )


def test_a_run_is_shown_without_what_it_lacks(run):
    for name in NEW:
        (run / "density" / name).unlink()
    assert density_section(RunFolder(run), "").problem == ""
    text = section_of(run, "density")
    assert "cannot be shown" not in text
    assert "keep its promise" not in text
    assert "Against other detectors" not in text
    assert "Share flagged as unfamiliar" in text


@pytest.mark.parametrize("name", ["reliability.csv", "detectors.csv"])
@pytest.mark.parametrize("content", [b"", b"{}", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_a_broken_table_costs_one_line_and_leaves_the_rest(run, name, content):
    (run / "density" / name).write_bytes(content)
    text = section_of(run, "density")
    assert text.count("cannot be shown") == 1
    assert f"density/{name} cannot be shown" in text
    assert "Share flagged as unfamiliar" in text


@pytest.mark.parametrize(
    "name", ["views", "projection", "selection", "anomalies", "clusters", "generated"]
)
def test_every_picture_that_was_drawn_is_on_the_page(run, name):
    before = section_of(run, "density").count("<img")
    shutil.copy(run / "density" / "extremes.png", run / "density" / f"{name}.png")
    assert section_of(run, "density").count("<img") == before + 1


def test_names_are_text_and_never_markup(run):
    attack = "<script>alert('x')</script>"
    change_table(run / "density" / "detectors.csv", set=attack, detector=attack)
    change_table(run / "density" / "scores.csv", id=attack)
    text = section_of(run, "density")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 4


def test_the_p_value_of_each_view_is_told_of_the_ends_of_each_set_and_low_ones_are_bold(run):
    path = run / "density" / "scores.csv"
    rows = [row | {"p: tones": "0.5", "p: bn2": "0.0312"} for row in read_csv(path)]
    write_csv(path, rows)
    content = density_section(RunFolder(run), "").content
    by_set = [[u for u in content.unusual if u.set == name] for name in ("train", "phc_u373")]
    for images in by_set:
        scores = [float(row["log_p"]) for row in rows if row["set"] == images[0].set]
        assert [image.log_p for image in images] == [*sorted(scores)[:3], max(scores)]
        assert images[0].strange == {"bn2"}
    assert section_of(run, "density").count("<strong>0.031</strong>") == len(content.unusual)
