import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from score_rows import rows_in
from small_density import SETTINGS

from cellxai.data.readers.folder import ImageFolder
from cellxai.trained import image_stream as imagestream
from cellxai.verbs.density.verb import density
from cellxai.verbs.score import score

# Kills itself while the second chunk is being written: some of its bytes are on disk, not all.
KILLED_WRITING = """
import os, signal, sys
from cellxai.trained import image_stream as imagestream
from cellxai.cli import main
from cellxai.verbs.score import table
imagestream.MOST_IMAGES = 4
whole, calls = table.encode_rows, []
def torn(rows, classes, further=()):
    content = whole(rows, classes, further)
    calls.append(len(rows))
    if calls == [0, 4, 4]:
        path = sys.argv[sys.argv.index("--out") + 1] + "/scores.csv"
        with open(path, "ab") as file:
            file.write(content[: len(content) * 2 // 3])
        os.kill(os.getpid(), signal.SIGKILL)
    return content
table.encode_rows = torn
main()
"""


def test_a_second_call_computes_nothing(run, plate, tmp_path, monkeypatch):
    first = score(run, str(plate), tmp_path / "out", device="cpu")
    before = (tmp_path / "out" / "scores.csv").read_bytes()
    monkeypatch.setattr(imagestream, "prepare_all", None)
    again = score(run, str(plate), tmp_path / "out", device="cpu")
    assert (again.n_images, again.n_before, again.n_unfamiliar) == (10, 10, first.n_unfamiliar)
    assert (tmp_path / "out" / "scores.csv").read_bytes() == before


def test_a_changed_image_is_scored_again_and_a_new_one_added(run, plate, tmp_path):
    images = Path(shutil.copytree(plate, tmp_path / "images"))
    score(run, str(images), tmp_path / "out", device="cpu")
    paths = sorted(images.glob("*.png"))
    before = {row["path"]: row["log_p"] for row in rows_in(tmp_path / "out")}
    shutil.copy(paths[1], paths[0])
    os.utime(paths[0], ns=(1, 1))
    shutil.copy(paths[2], images / "new.png")
    result = score(run, str(images), tmp_path / "out", device="cpu")
    after = {row["path"]: row["log_p"] for row in rows_in(tmp_path / "out")}
    assert (result.n_images, result.n_before) == (11, 9)
    assert len(rows_in(tmp_path / "out")) == 11
    assert float(after[str(paths[0])]) == pytest.approx(float(before[str(paths[1])]), abs=1e-3)
    assert before[str(paths[0])] != before[str(paths[1])]


@pytest.mark.slow
def test_a_killed_call_is_continued_and_ends_like_one_that_was_not(run, plate, tmp_path):
    words = ["score", "--run", str(run), "--images", str(plate), "--out", str(tmp_path / "out")]
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITING, *words, "--device", "cpu"])
    assert killed.returncode == -signal.SIGKILL
    torn = (tmp_path / "out" / "scores.csv").read_bytes()
    assert not torn.endswith(b"\n")
    resumed = score(run, str(plate), tmp_path / "out", device="cpu")
    assert 4 <= resumed.n_before < 8
    score(run, str(plate), tmp_path / "whole", device="cpu")
    pairs = zip(rows_in(tmp_path / "out"), rows_in(tmp_path / "whole"), strict=True)
    for row, expected in pairs:
        for name in ("id", "path", "modified_ns", "predicted", "unfamiliar", "fault"):
            assert row[name] == expected[name]
        assert float(row["log_p"]) == pytest.approx(float(expected["log_p"]), rel=1e-4)


def test_broken_images_are_told_and_the_rest_scored(run, plate, tmp_path):
    images = Path(shutil.copytree(plate, tmp_path / "images"))
    for number in range(7):
        (images / f"broken{number}.png").write_bytes(b"broken")
    result = score(run, str(images), tmp_path / "out", device="cpu")
    assert result.n_images == 10
    assert len(result.faults) == 7
    assert "left out: 2 more, in scores.csv" in str(result)
    broken = [row for row in rows_in(tmp_path / "out") if row["fault"]]
    assert len(broken) == 7
    assert {row["log_p"] for row in broken} == {""}
    assert score(run, str(images), tmp_path / "out", device="cpu").n_before == 17


def test_scores_of_another_density_are_not_mixed_in(run, plate, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    score(copy, str(plate), tmp_path / "out", device="cpu")
    density(copy, replace(SETTINGS, percent=20.0), detectors={})
    with pytest.raises(ValueError, match="holds scores by other density; choose another --out"):
        score(copy, str(plate), tmp_path / "out", device="cpu")


def test_a_promise_that_too_few_images_were_known_for_is_said_to_be_none(run, plate, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    density(copy, replace(SETTINGS, percent=4.0), detectors={})
    result = score(copy, str(plate), tmp_path / "out", device="cpu")
    assert result.n_unfamiliar == 0
    assert "18 known images cannot keep a promise of 4 % false alarms" in str(result)


def test_a_call_that_reads_no_image_is_no_success(run, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"broken")
    result = score(run, str(tmp_path / "broken.png"), tmp_path / "out", device="cpu")
    assert (result.n_images, result.exit_code, len(result.faults)) == (0, 3, 1)


def test_masks_beside_a_data_set_are_refused_before_anything_is_read(run, plate, tmp_path):
    with pytest.raises(ValueError, match=r"masks=.* is for images; a data set says itself"):
        score(run, out=tmp_path / "out", masks=plate, data=ImageFolder(plate))
    assert not (tmp_path / "out").exists()


def test_memory_holds_one_chunk_of_pixels(run, plate, tmp_path, monkeypatch):
    seen = []
    prepare = imagestream.prepare_all
    monkeypatch.setattr(imagestream, "MOST_IMAGES", 3)
    monkeypatch.setattr(
        imagestream,
        "prepare_all",
        lambda records, t: seen.append(len(records)) or prepare(records, t),
    )
    score(run, str(plate), tmp_path / "out", device="cpu")
    assert seen == [3, 3, 3, 1]
