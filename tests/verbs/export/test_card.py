import json
import shutil
from pathlib import Path

import pytest
from exported_card import rewrite

from cellxai.verbs.export import export, load_exported


def test_the_card_says_what_the_model_is_and_how_good(run, exported):
    card = json.loads((exported / "card.json").read_text())
    report = json.loads((run / "evaluation" / "report.json").read_text())
    environment = json.loads((run / "environment.json").read_text())
    assert card["classes"] == report["classes"]
    assert card["input"]["image_size"] == [64, 64]
    assert card["input"]["preparation"][2].startswith("CLAHE, clip limit 4.0")
    test = report["parts"]["test"]
    assert card["metrics"]["accuracy"] == test["accuracy"]
    assert card["metrics"]["intervals"] == test["intervals"]
    assert card["temperature"] == report["temperature"]
    assert card["versions"] == environment["versions"]
    assert card["data"]["fingerprint"] == environment["data"]["fingerprint"]
    assert {*card["files"]} == {"model.safetensors"}


def test_a_run_that_was_not_judged_is_exported_without_figures_and_says_so(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    shutil.rmtree(copy / "evaluation")
    made = export(copy, tmp_path / "out", device="cpu")
    assert "no metrics: not evaluated" in str(made)
    assert load_exported(made.folder).temperature == 1.0


def test_figures_of_other_weights_are_not_passed_on(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    report = copy / "evaluation" / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"weights": "0"}))
    assert "other weights" in str(export(copy, tmp_path / "out", device="cpu"))


@pytest.mark.parametrize("name", ["model.safetensors", "card.json"])
def test_one_flipped_bit_is_an_error_that_names_the_file(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: ") as error:
        load_exported(copied)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["model.safetensors", "card.json"])
def test_a_missing_file_is_named(copied, name):
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_exported(copied)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff\xfe", b"null"])
def test_a_card_that_is_none_is_an_error_in_one_line(copied, content):
    (copied / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"card\.json: not a card of `cellxai export`"):
        load_exported(copied)


def test_a_card_of_another_version_is_told(copied):
    rewrite(copied, version=99)
    with pytest.raises(ValueError, match=r"cellxai\.export 99, expected cellxai\.export 1"):
        load_exported(copied)


def test_a_card_that_names_another_file_leads_nowhere_else(copied, tmp_path):
    (tmp_path / "secret").write_text("x")
    rewrite(copied, files={"../secret": "0"})
    with pytest.raises(FileNotFoundError, match="copy/secret: missing"):
        load_exported(copied)
