"""The section about the data."""

from pathlib import Path

from cellxai.files.folder import RunFolder, write_csv, write_json
from cellxai.report.data.section import data_section


def warnings_of(folder: Path, rows: list[tuple[str, str, str]]) -> tuple[str, ...]:
    table = [{"id": i, "label": "a", "group": group, "part": part} for i, group, part in rows]
    write_csv(folder / "split.csv", table)
    return data_section(RunFolder(folder)).content.warnings


def test_a_sound_split_has_no_warning(tmp_path):
    rows = [("1", "p", "train"), ("2", "q", "validation"), ("3", "r", "test"), ("4", "", "train")]
    assert warnings_of(tmp_path, [*rows, ("5", "", "test")]) == ()


def test_an_image_a_group_and_a_missing_test_part_are_warned_of(tmp_path):
    rows = [("1", "p", "train"), ("1", "p", "validation"), ("2", "q", "train")]
    image, group, part = warnings_of(tmp_path, rows)
    assert image.startswith("1 image")
    assert group.startswith("1 group")
    assert part.startswith("There is no test part")


def test_plates_that_can_be_told_are_in_the_section_where_preview_looked(tmp_path):
    told = {"sentence": "plate can be told", "warning": "plate goes along"}
    saved = {"batches": {"columns": [told, {"sentence": "dose cannot be told", "warning": ""}]}}
    warnings_of(tmp_path, [("1", "p", "train")])
    assert data_section(RunFolder(tmp_path)).content.batches == ()
    write_json(tmp_path / "preview" / "preview.json", saved)
    counts = data_section(RunFolder(tmp_path)).content
    assert counts.batches == ("plate can be told", "dose cannot be told")
    assert counts.batch_warnings == ("plate goes along",)
    (tmp_path / "preview" / "preview.json").write_text("{broken")
    (problem,) = data_section(RunFolder(tmp_path)).content.batch_warnings
    assert problem.startswith("preview/preview.json cannot be shown")
