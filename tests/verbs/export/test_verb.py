"""The verb ``export`` and the loader of what it writes."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cellxai.files.identity import hash_file, hash_json
from cellxai.trained.run import load_run
from cellxai.verbs.evaluate import evaluate
from cellxai.verbs.export import export, load_exported
from cellxai.verbs.export import verb as exporting
from cellxai.verbs.export.network import ScoringNetwork


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory) -> Path:
    """A judged run of its own: others remove and make the evaluation of the shared one."""
    copy = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("export") / "run"))
    evaluate(copy, "cpu")
    return copy


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    return export(run, tmp_path_factory.mktemp("out") / "model", device="cpu").folder


@pytest.fixture
def copied(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def rewrite(folder: Path, **changes) -> None:
    """Changes a card as somebody would who knows its digest."""
    card = json.loads((folder / "card.json").read_text()) | changes
    card.pop("sha256")
    (folder / "card.json").write_text(json.dumps({**card, "sha256": hash_json(card)}))


def test_an_exported_model_scores_images_as_the_run_does_without_the_run(run, exported):
    trained = load_run(run, "cpu")
    model = load_exported(exported)
    records = trained.images.records("test")
    paths = [record.path for record in records]
    images = model.prepare(paths)
    stored = torch.cat([trained.pixels("test", place) for place in range(len(records))])
    assert torch.equal(images, stored)
    with torch.inference_mode():
        torch.testing.assert_close(model.logits(images), trained.classifier(stored))
        trained.classifier.to(memory_format=torch.contiguous_format)  # as an export is read
        assert torch.equal(model.logits(images), trained.classifier(stored))
    logits = trained.outputs("test")[0] / model.temperature
    torch.testing.assert_close(model.probabilities(paths, 2), logits.softmax(-1))
    assert model.classes == trained.classes


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


def test_a_file_of_the_export_can_be_read_by_others(exported):
    modes = {path.stat().st_mode & 0o044 for path in exported.iterdir()}
    expected = (exported / "card.json").stat().st_mode & 0o044
    assert modes == {expected}


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


def test_weights_that_read_back_otherwise_leave_no_card(run, tmp_path, monkeypatch):
    def off_by_a_bit(network: ScoringNetwork, path: Path) -> None:
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        state["head.0.bias"] += 1e-3
        save_file(state, path)

    export(run, tmp_path / "out", device="cpu")  # whose card must not outlive what follows
    monkeypatch.setattr(exporting, "write_weights", off_by_a_bit)
    with pytest.raises(ValueError, match=r"read back, logits differ by up to .* expected 0"):
        export(run, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / "card.json").exists()


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


class Bomb:
    """Unpickled, it would leave a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_pickle_in_the_place_of_the_weights_is_never_loaded(copied, tmp_path):
    trace = tmp_path / "exploded"
    (copied / "model.safetensors").write_bytes(pickle.dumps(Bomb(trace)))
    card = json.loads((copied / "card.json").read_text())
    rewrite(copied, files={**card["files"], "model.safetensors": hash_file(
        copied / "model.safetensors")})  # fmt: skip
    with pytest.raises(ValueError, match="weights and card do not fit"):
        load_exported(copied)
    assert not trace.exists()


def test_a_card_that_names_another_file_leads_nowhere_else(copied, tmp_path):
    (tmp_path / "secret").write_text("x")
    rewrite(copied, files={"../secret": "0"})
    with pytest.raises(FileNotFoundError, match="copy/secret: missing"):
        load_exported(copied)


def test_weights_of_another_shape_are_an_error_in_one_line(copied):
    state = load_file(copied / "model.safetensors")
    rewrite(copied, classes=["a", "b"])
    with pytest.raises(ValueError, match="weights and card do not fit each other") as error:
        load_exported(copied)
    assert "\n" not in str(error.value)
    assert state["head.3.weight"].shape[0] == 3


@pytest.mark.slow
def test_a_program_of_torch_export_answers_as_the_run_for_any_batch(run, tmp_path):
    made = export(run, tmp_path / "out", "torch_export", "cpu")
    assert made.difference is not None
    assert made.difference <= exporting.PARITY
    program = torch.export.load(tmp_path / "out" / "model.pt2").module()
    trained = load_run(run, "cpu")
    images = torch.cat([trained.pixels("train", place) for place in range(5)])
    with torch.inference_mode():
        for batch in (images[:1], images[:3], images):
            torch.testing.assert_close(program(batch), trained.classifier(batch), atol=1e-4, rtol=0)
    assert {*load_exported(tmp_path / "out").card["files"]} == {"model.safetensors", "model.pt2"}
    # Without it, an earlier program does not stay behind under the new card.
    export(run, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out" / "model.pt2").exists()


class Plain(torch.nn.Module):
    """Two pixels for logits."""

    def forward(self, images):
        return images.flatten(1)[:, :2]


def test_a_program_that_answers_otherwise_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "PARITY", -1.0)
    network, images = Plain(), torch.rand(3, 3, 2, 2)
    with pytest.raises(ValueError, match="logits differ from the run's by"):
        exporting.write_program(network, images, network(images), tmp_path / "model.pt2")  # type: ignore[arg-type]
    assert not (tmp_path / "model.pt2").exists()


class Fickle(torch.nn.Module):
    """Its path depends on the values of the images."""

    def forward(self, images):
        return images.sum((1, 2, 3)) if images.sum() > 0 else images.mean((1, 2, 3))


def test_a_network_that_cannot_be_traced_is_one_line(tmp_path):
    images = torch.rand(3, 3, 2, 2)
    with pytest.raises(ValueError, match="cannot be traced") as error:
        exporting.write_program(Fickle(), images, images, tmp_path / "model.pt2")  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
