import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from flipped_bits import flip_bits
from safetensors.numpy import load_file, save_file
from safetensors.torch import safe_open

from cellxai.density import DensityPipeline, PipelineSettings
from cellxai.density.densities import Mixture, ReconstructionError
from cellxai.density.views import Logits, Penultimate, Places
from cellxai.files.digest import stop_vouching

SETTINGS = PipelineSettings(percent=10.0)
VIEWS = {
    "one": Penultimate(),
    "two": Logits(Mixture(projection=2, n_components=(1, 2), covariance_types=("diag",), n_init=1)),
    "lost": Penultimate(ReconstructionError(0.8, standardise=True)),
    "places": Places("backbone.blocks.0", side=3, share=0.2),
}

MIX = torch.randn(5, 9, generator=torch.Generator().manual_seed(7))


def rows(n: int = 60, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=generator)
    return {
        "one": x, "two": x[:, :3], "lost": x @ MIX,
        "places": torch.randn(n, 3, 3, 2, generator=generator),
    }  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> DensityPipeline:
    folds, labels = torch.arange(60) % 4, torch.arange(60) % 2
    return DensityPipeline(VIEWS, SETTINGS, 3).fit(rows(), folds, labels)


def test_a_file_answers_as_what_was_saved(fitted, tmp_path):
    fitted.save(tmp_path / "d.safetensors", "abc")
    read = DensityPipeline.load(tmp_path / "d.safetensors", "abc")
    new = rows(9, 1)
    assert torch.equal(read.surprises(new), fitted.surprises(new))
    for field in ("p", "log_p", "flagged"):
        assert torch.equal(getattr(read.judge(new), field), getattr(fitted.judge(new), field))
        assert torch.equal(getattr(read.judge_known(), field), getattr(fitted.judge_known(), field))
    assert (read.seed, list(read.views)) == (3, list(VIEWS))
    assert (read.views["places"].side, read.settings.percent) == (3, 10.0)


def rewrite(path, **changes):
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["cellxai.density"])
    stop_vouching(path)
    save_file(load_file(path), path, metadata={"cellxai.density": json.dumps(header | changes)})


def test_a_damaged_foreign_or_old_file_is_one_line_with_the_command(fitted, tmp_path):
    path = tmp_path / "run" / "density" / "d.safetensors"
    with pytest.raises(FileNotFoundError, match="no such file"):
        DensityPipeline.load(path)
    path.parent.mkdir(parents=True)
    save_file({"mean": np.zeros(2)}, path)
    command = f"make it anew by `cellxai density --run {tmp_path / 'run'}`"
    with pytest.raises(ValueError, match=command):
        DensityPipeline.load(path)
    fitted.save(path, "abc")
    with pytest.raises(ValueError, match="of weights with SHA-256 abc"):
        DensityPipeline.load(path, "def")
    rewrite(path, version=1)
    with pytest.raises(ValueError, match=r"version 1 of an earlier release.*make it anew"):
        DensityPipeline.load(path, "abc")
    stop_vouching(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=command) as caught:
        DensityPipeline.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_the_release_before_is_refused_with_the_command(tmp_path):
    path = tmp_path / "run" / "density" / "pipeline.safetensors"
    path.parent.mkdir(parents=True)
    header = {"format": "cellxai.density", "version": 1, "settings": {}, "percent": 4.0}
    save_file({"mean": np.zeros(2)}, path, metadata={"cellxai.density": json.dumps(header)})
    with pytest.raises(ValueError, match=r"earlier release.*cellxai density --run"):
        DensityPipeline.load(path)


def test_the_log_familiarity_orders_strangers_as_the_verdict_does_and_has_a_gradient(fitted):
    new = {name: values * 3 for name, values in rows(12, 2).items()}
    verdict = fitted.judge(new)
    far = verdict.evidence < -4
    assert far.sum() >= 3
    found = fitted.log_familiarity(new)[far].detach()  # of four views the smallest decides
    torch.testing.assert_close(found, verdict.evidence[far], rtol=1e-5, atol=1e-5)
    one = {name: values.double().requires_grad_() for name, values in new.items()}
    fitted.log_familiarity(one).sum().backward()
    assert sum(float(v.grad.abs().sum()) for v in one.values() if v.grad is not None) > 0


def test_every_view_counts(fitted):
    for name in VIEWS:
        usual = {key: values.clone() for key, values in rows(3, 5).items()}
        usual[name] = usual[name] + 100
        verdict = fitted.judge(usual)
        assert verdict.flagged.all()
        surprised = [list(VIEWS)[int(place)] for place in verdict.most_surprised]
        assert set(surprised) == {name}


def test_the_pipeline_is_had_without_the_networks():
    code = (
        "import sys, cellxai.density\n"
        "sys.exit(sum(name in sys.modules for name in ('lightning', 'timm', 'cv2', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_any_flipped_bit_of_a_file_is_found(fitted, tmp_path):
    path = tmp_path / "d.safetensors"
    fitted.save(path)
    for _ in flip_bits(path):
        with pytest.raises(ValueError, match=r"d\.safetensors: does not have the SHA-256"):
            DensityPipeline.load(path)
