"""The maps as the script of the page gets them: the numbers of the files, whatever a name tries."""

import io
import json
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from PIL import Image
from safetensors.numpy import load_file, save_file

from cellxai.files.folder import RunFolder, read_csv, write_csv
from cellxai.report.explanations.browser_data import (
    LARGEST_SIDE,
    browser_data,
    count_letters,
)
from cellxai.verbs.report import report

MODULE = "cellxai.report.explanations.browser_data"


def decode(address: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(b64decode(address.partition(",")[2]))))


def entries_of(run: Path) -> list[dict]:
    return json.loads((run / "explain" / "index.json").read_text())["images"]


def images_of(run: Path) -> list[dict]:
    data = browser_data(RunFolder(run), entries_of(run))
    assert data is not None
    return json.loads(data.script_data)["images"]


def test_levels_give_back_the_map_and_sums_are_those_of_its_superpixels(run):
    shown = images_of(run)[0]
    saved = load_file(run / "explain" / "maps" / f"{shown['id']}.safetensors")
    labels = decode(shown["superpixels"])
    back = labels[..., 0] + 256 * labels[..., 1].astype(int)
    np.testing.assert_array_equal(back, saved["superpixels"])
    for name, entry in shown["maps"].items():
        values = saved[f"map/{name}"]
        back = (decode(entry["levels"]).astype(float) - 128) / 127 * entry["full"]
        inside = np.abs(values) <= entry["full"]
        assert np.abs(back - values)[inside].max() <= (0.5 / 127 + 0.001) * entry["full"]
        sums = [values[saved["superpixels"] == i].sum() for i in range(len(entry["sums"]))]
        np.testing.assert_allclose(entry["sums"], sums, rtol=1e-2)


def test_an_image_says_what_evaluation_and_density_found_of_it(run):
    shown = images_of(run)[0]
    (row,) = (r for r in read_csv(run / "density" / "scores.csv") if r["id"] == shown["id"])
    assert shown["p"] == pytest.approx(np.exp(float(row["log_p"])))  # an older table has no p
    assert (shown["unfamiliar"], shown["views"]) == (row["unfamiliar"] == "1", [])
    views = {"p: tones": "0.5", "p: pixels": "0.01", "p: logits": "0.2", "p: bn2": "0.3"}
    add_columns(run / "density" / "scores.csv", p="0.25", **views)
    shown = images_of(run)[0]
    assert shown["p"] == 0.25
    assert shown["views"] == [["pixels", 0.01], ["logits", 0.2], ["bn2", 0.3]]


def add_columns(path: Path, **cells: str) -> None:
    found = read_csv(path)
    path.unlink()
    write_csv(path, [row | cells for row in found])


def test_a_large_map_is_thinned_out_and_keeps_its_sums(run):
    path = run / "explain" / "maps" / "test000.safetensors"
    pattern = np.zeros((LARGEST_SIDE + 20, 2 * LARGEST_SIDE + 5), np.float32)
    pattern[:100] = 2.0
    labels = (pattern > 0).astype(np.int32)
    save_file({"image": pattern[None] / 2, "superpixels": labels, "map/lime": pattern}, path)
    shown = images_of(run)[0]
    assert max(shown["width"], shown["height"]) <= LARGEST_SIDE
    assert decode(shown["pixels"]).shape == (shown["height"], shown["width"])
    assert shown["maps"]["lime"]["sums"] == [0.0, float(f"{pattern.sum():.3g}")]


@pytest.mark.parametrize("damage", ["cut", "gone", "shape", "link"])
def test_an_image_whose_maps_cannot_be_read_is_left_to_its_drawn_pictures(run, tmp_path, damage):
    path = run / "explain" / "maps" / "test000.safetensors"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-10])
    elif damage == "shape":
        save_file({**load_file(path), "map/lime": np.zeros((3, 4), np.float32)}, path)
    else:
        path.unlink()
    if damage == "link":
        (tmp_path / "elsewhere.safetensors").write_bytes(content)
        path.symlink_to(tmp_path / "elsewhere.safetensors")
    assert [image["id"] for image in images_of(run)] == ["test001", "test002"]
    assert "test000" in Page(report(run).path).section("explanations")


@pytest.mark.parametrize("shape", [(40, 60), (300, 200)])
def test_maps_are_only_made_smaller_where_the_page_would_be_too_large(run, shape, monkeypatch):
    generator, labels = np.random.default_rng(0), np.zeros(shape, np.int32)
    for entry in entries_of(run):
        noise = {
            f"map/{name}": generator.normal(size=shape).astype(np.float32)
            for name in entry["explainers"]
        }
        path = run / "explain" / "maps" / f"{entry['id']}.safetensors"
        save_file({"image": np.ones((1, *shape), np.float32), "superpixels": labels, **noise}, path)
    whole = images_of(run)
    assert max(whole[0]["width"], whole[0]["height"]) == min(max(shape), LARGEST_SIDE)
    allowed = sum(map(count_letters, whole)) // 3
    monkeypatch.setattr(f"{MODULE}.MAILED", allowed)
    monkeypatch.setattr(f"{MODULE}.LETTERS_PER_IMAGE", 0)
    shrunk = images_of(run)
    assert 0.6 * allowed < sum(map(count_letters, shrunk)) <= allowed
    ratio = shrunk[0]["width"] / shrunk[0]["height"]
    assert ratio == pytest.approx(shape[1] / shape[0], rel=0.05)


def test_no_name_ends_the_script_element(run):
    attack = "</script><img src=x onerror=alert(1)><!--"
    entries = entries_of(run)
    for entry in entries:
        entry["label"] = entry["predicted"] = attack
    data = browser_data(RunFolder(run), entries)
    assert data is not None
    text = data.script_data
    assert not set("<>&") & set(text)
    assert json.loads(text)["images"][0]["label"] == attack


def test_maps_that_are_not_numbers_are_drawn_as_no_evidence(run):
    path = run / "explain" / "maps" / "test000.safetensors"
    tensors = load_file(path)
    nothing = np.full_like(tensors["map/lime"], np.nan)
    save_file({**tensors, "map/lime": nothing}, path)
    entry = images_of(run)[0]["maps"]["lime"]
    assert (decode(entry["levels"]) == 128).all()
    assert set(entry["sums"]) == {0.0}
