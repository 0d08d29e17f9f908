import shutil
from pathlib import Path

import pytest

from cellxai.verbs.report import ReportPage, report


def test_a_folder_that_is_no_run_is_an_error_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config\.yaml in it, expected a run folder"):
        report(tmp_path)


def test_what_the_page_lacks_and_what_cannot_be_read_is_told_line_by_line():
    page = ReportPage(Path("a/index.html"), 2_340_000, ("cellxai density --run a",), ("b: broken",))
    assert str(page).splitlines() == [
        "report: a/index.html (2.3 MB)",
        "not in it yet: cellxai density --run a",
        "not readable: b: broken",
    ]


def test_a_second_call_writes_the_same_page(tiny_run, tmp_path):
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    first = report(run)
    content = first.path.read_bytes()
    assert first.n_bytes == len(content)
    assert report(run) == first
    assert first.path.read_bytes() == content
