"""The verb ``export`` and the loader of what it writes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cellxai.trained.run import load_run
from cellxai.verbs.export import export, load_exported
from cellxai.verbs.export import verb as exporting
from cellxai.verbs.export.network import ScoringNetwork


def test_a_file_of_the_export_can_be_read_by_others(exported):
    modes = {path.stat().st_mode & 0o044 for path in exported.iterdir()}
    expected = (exported / "card.json").stat().st_mode & 0o044
    assert modes == {expected}


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
