import csv
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cellxai.adapters.place_density import read_place_density
from cellxai.data.records import Record
from cellxai.density.pipeline import DensityPipeline
from cellxai.density.settings import PLACE_PIPELINE, PipelineSettings, PlaceSettings
from cellxai.files.folder import read_csv, read_json, write_csv, write_json
from cellxai.trained import image_stream as imagestream
from cellxai.trained.run import load_run
from cellxai.verbs.density.verb import density
from cellxai.verbs.score import score
from cellxai.verbs.score.table import COLUMNS
from cellxai.verbs.synthesize import synthesize

# Kills itself while the second chunk is being written: some of its bytes are on disk, not all.
KILLED_WRITING = """
import os, signal, sys
from cellxai.trained import image_stream as imagestream
from cellxai.cli import main
from cellxai.verbs.score import table
imagestream.MOST_IMAGES = 4
whole, calls = table.encode_rows, []
def torn(rows, header):
    content = whole(rows, header)
    calls.append(header)
    if calls.count(False) == 2:
        path = sys.argv[sys.argv.index("--out") + 1] + "/scores.csv"
        with open(path, "ab") as file:
            file.write(content[: len(content) * 2 // 3])
        os.kill(os.getpid(), signal.SIGKILL)
    return content
table.encode_rows = torn
main()
"""


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory) -> Path:
    """A run with a mixture per class."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("score") / "run"))
    settings = PipelineSettings(
        n_components=(1,), covariance_types=("diag",), percent=30.0, per_class=True
    )
    density(copy, settings, device="cpu")
    return copy


@pytest.fixture(scope="module")
def run_with_places(run, tmp_path_factory) -> Path:
    """Likewise, with a density of places."""
    copy = Path(shutil.copytree(run, tmp_path_factory.mktemp("places") / "run"))
    pipeline = DensityPipeline.load(run / "density/pipeline.safetensors").settings
    places = PlaceSettings(
        ["backbone.blocks.0"], replace(PLACE_PIPELINE, percent=30.0), n_places=2000
    )
    density(copy, pipeline, places=places, detectors={}, device="cpu")
    return copy


@pytest.fixture(scope="module")
def plate(tmp_path_factory) -> Path:
    """A folder of ten new images, all far out of focus."""
    folder = tmp_path_factory.mktemp("plate")
    synthesize(folder / "made", n_images=10, seed=9, height=64, width=64, spoiled=True)
    return Path(shutil.copytree(folder / "made" / "train", folder / "images"))


def rows_in(folder: Path) -> list[dict[str, str]]:
    return read_csv(folder / "scores.csv")


@pytest.mark.renders
def test_rows_hold_what_classifier_and_density_say(run, plate, tmp_path):
    found = score(run, str(plate), tmp_path / "out", device="cpu")
    rows, trained = rows_in(tmp_path / "out"), load_run(run, "cpu")
    assert list(rows[0]) == list(COLUMNS)
    assert [row["path"] for row in rows] == [str(path) for path in sorted(plate.glob("*.png"))]
    (chunk,) = imagestream.stream_outputs(
        [trained.images.all_records[0].__class__(row["id"], Path(row["path"]), "") for row in rows],
        trained.transforms, trained.classifier.features, trained.device,
    )  # fmt: skip
    features, pipeline = chunk.outputs, DensityPipeline.load(run / "density/pipeline.safetensors")
    with torch.no_grad():
        likeliest = trained.classifier.head[-1](features).softmax(1).max(1)
    numbers = {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS[4:8]}
    np.testing.assert_allclose(numbers["probability"], likeliest.values, atol=1e-6)
    assert [row["predicted"] for row in rows] == [trained.classes[i] for i in likeliest.indices]
    expected = pipeline.score_samples(features.double()).numpy()
    np.testing.assert_allclose(numbers["log_density"], expected, atol=1e-5)
    of_class = pipeline.class_log_density(features.double(), likeliest.indices).numpy()
    np.testing.assert_allclose(numbers["class_log_density"], of_class, atol=1e-5)
    assert (numbers["unfamiliar"] == pipeline.unfamiliar(features)).all()
    assert (found.n_images, found.n_before) == (10, 0)
    assert found.n_unfamiliar == numbers["unfamiliar"].sum()
    assert (tmp_path / "out" / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_density_of_places_stands_beside_the_other_and_changes_nothing_of_it(
    run, run_with_places, plate, tmp_path
):
    score(run, str(plate), tmp_path / "without", device="cpu")
    found = score(run_with_places, str(plate), tmp_path / "out", device="cpu")
    own = ("places_log_density", "places_unfamiliar")
    before, rows = rows_in(tmp_path / "without"), rows_in(tmp_path / "out")
    assert {row[name] for row in before for name in own} == {""}
    assert [row | dict.fromkeys(own, "") for row in rows] == before
    trained = load_run(run_with_places, "cpu")
    places = read_place_density(trained)
    records = [Record(name, plate / f"{name}.png", "")
               for name in (Path(row["path"]).stem for row in rows)]  # fmt: skip
    (chunk,) = imagestream.stream_outputs(records, trained.transforms, places, trained.device)
    assert [row["places_log_density"] for row in rows] == [f"{x:.6f}" for x in chunk.outputs[:, 0]]
    flags = places.threshold.flags(chunk.outputs[:, 0].double().numpy())
    assert [row["places_unfamiliar"] for row in rows] == [str(int(flag)) for flag in flags]
    assert found.n_places_unfamiliar == flags.sum()
    assert f"least known places: {flags.sum()} unfamiliar" in str(found)


def test_scores_begun_before_there_were_places_are_not_mixed_with_others(
    run, run_with_places, plate, tmp_path
):
    told = "holds scores by other density of places; choose another --out, or delete it"
    copy = Path(shutil.copytree(run_with_places, tmp_path / "run"))
    out = tmp_path / "out"
    score(copy, str(plate), out, device="cpu")
    (copy / "density" / "places.safetensors").unlink()
    with pytest.raises(ValueError, match=told):
        score(copy, str(plate), out, device="cpu")
    shutil.rmtree(out)
    score(copy, str(plate), out, device="cpu")
    shutil.copy(run_with_places / "density" / "places.safetensors", copy / "density")
    with pytest.raises(ValueError, match=told):
        score(copy, str(plate), out, device="cpu")


def test_a_table_of_before_there_were_places_is_continued_without_them(run, plate, tmp_path):
    score(run, str(plate), tmp_path / "out", device="cpu")
    new = rows_in(tmp_path / "out")
    old = [{name: cell for name, cell in row.items() if "places" not in name} for row in new]
    write_csv(tmp_path / "out" / "scores.csv", old)
    marks = read_json(tmp_path / "out" / "score.json")
    write_json(tmp_path / "out" / "score.json", {k: v for k, v in marks.items() if v is not None})
    again = score(run, str(plate), tmp_path / "out", device="cpu")
    assert (again.n_before, again.n_places_unfamiliar) == (10, None)
    assert rows_in(tmp_path / "out") == new


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
    before = {row["path"]: row["log_density"] for row in rows_in(tmp_path / "out")}
    shutil.copy(paths[1], paths[0])
    os.utime(paths[0], ns=(1, 1))
    shutil.copy(paths[2], images / "new.png")
    found = score(run, str(images), tmp_path / "out", device="cpu")
    after = {row["path"]: row["log_density"] for row in rows_in(tmp_path / "out")}
    assert (found.n_images, found.n_before) == (11, 9)
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
    told = zip(rows_in(tmp_path / "out"), rows_in(tmp_path / "whole"), strict=True)
    for row, expected in told:
        for name in ("id", "path", "modified_ns", "predicted", "unfamiliar", "fault"):
            assert row[name] == expected[name]
        assert float(row["log_density"]) == pytest.approx(float(expected["log_density"]), rel=1e-4)


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_row_cut_anywhere_is_computed_again(run, plate, tmp_path, cut):
    score(run, str(plate), tmp_path / "out", device="cpu")
    table = tmp_path / "out" / "scores.csv"
    whole = table.read_bytes()
    table.write_bytes(whole[:-cut])
    found = score(run, str(plate), tmp_path / "out", device="cpu")
    assert (found.n_images, found.n_before) == (10, 9)
    with table.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10
    assert table.read_bytes()[:200] == whole[:200]


def test_broken_images_are_told_and_the_rest_scored(run, plate, tmp_path):
    images = Path(shutil.copytree(plate, tmp_path / "images"))
    for number in range(7):
        (images / f"broken{number}.png").write_bytes(b"broken")
    found = score(run, str(images), tmp_path / "out", device="cpu")
    assert found.n_images == 10
    assert len(found.faults) == 7
    assert "left out: 2 more, in scores.csv" in str(found)
    broken = [row for row in rows_in(tmp_path / "out") if row["fault"]]
    assert len(broken) == 7
    assert {row["log_density"] for row in broken} == {""}
    assert score(run, str(images), tmp_path / "out", device="cpu").n_before == 17


def test_files_patterns_tables_and_folders_of_folders_are_taken_each_image_once(
    run, plate, tmp_path
):
    deep = Path(shutil.copytree(plate, tmp_path / "deep" / "a" / "b"))
    files = sorted(plate.glob("*.png"))
    (plate.parent / "table.csv").write_text(f"path,well\n{files[3]},A1\nimages/{files[4].name},\n")
    names = [str(files[0]), str(plate / "*00000[12].png"), str(plate.parent / "table.csv")]
    found = score(run, [*names, str(files[0])], tmp_path / "out", device="cpu")
    assert [row["path"] for row in rows_in(tmp_path / "out")] == [str(path) for path in files[:5]]
    assert found.n_images == 5
    below = score(run, str(deep.parent.parent), tmp_path / "below", device="cpu")
    assert below.n_images == 10


@pytest.mark.parametrize("name", ["nothing.png", "*.png", "."])
def test_a_name_that_means_no_image_is_refused(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"images='.*' means no image; expected"):
        score(run, name, tmp_path / "out")


def test_scores_of_another_density_are_not_mixed_in(run, plate, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    score(copy, str(plate), tmp_path / "out", device="cpu")
    density(
        copy, PipelineSettings(n_components=(1,), covariance_types=("spherical",), percent=30.0)
    )
    with pytest.raises(ValueError, match="holds scores by other density; choose another --out"):
        score(copy, str(plate), tmp_path / "out", device="cpu")


def test_a_threshold_that_too_few_images_were_held_out_for_is_said_to_be_none(run, plate, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    few = PipelineSettings(n_components=(1,), covariance_types=("spherical",), percent=4.0)
    density(copy, few, detectors={})
    found = score(copy, str(plate), tmp_path / "out", device="cpu")
    assert found.n_unfamiliar == 0
    assert "no threshold: 6 held-out samples cannot resolve 4 %; at least 24 can" in str(found)


def test_without_a_density_the_command_is_named(tiny_run, plate, tmp_path):
    copy = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    shutil.rmtree(copy / "density", ignore_errors=True)  # of another test
    with pytest.raises(FileNotFoundError, match=f"run `cellxai density --run {copy}`"):
        score(copy, str(plate))


def test_the_sheet_shows_the_least_familiar_first(run, plate, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "cellxai.verbs.score.sheet.draw_scored_images", lambda groups, *_: drawn.append(groups)
    )
    score(run, str(plate), tmp_path / "out", n_shown=4, device="cpu")
    (tiles,) = drawn[0].values()
    densities = sorted(float(row["log_density"]) for row in rows_in(tmp_path / "out"))
    assert [tile.log_density for tile in tiles] == densities[:4]


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
