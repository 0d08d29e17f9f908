import os
import tempfile
from pathlib import Path

import pytest
import torch

from cellxai.training.checkpoints import AtomicCheckpoints, check_plain
from cellxai.verbs.fit import fit


def test_a_checkpoint_does_not_pass_through_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == {"epoch": 1}


def test_a_checkpoint_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("sync"), sync(number)))
    monkeypatch.setattr(Path, "replace", lambda *to: (done.append(to[1].name), replace(*to)))
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, tmp_path / "last.ckpt")
    assert done.index("last.ckpt") > 1
    assert done[::2] == ["sync"] * (len(done) // 2)


@pytest.mark.parametrize("value", [{1, 2}, Path("x"), print, object()])
def test_what_could_not_be_loaded_safely_is_not_saved(tmp_path, value):
    AtomicCheckpoints().save_checkpoint({"state": [1]}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"checkpoint\['state'\]\[1\] is a .* weights_only; keep"):
        AtomicCheckpoints().save_checkpoint({"state": [1, value]}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == {"state": [1]}


def test_every_checkpoint_of_a_run_is_plain(settings, tmp_path):
    run = fit(run=tmp_path / "run", **settings(epochs=1)).run
    for path in (run / "checkpoints").glob("*.ckpt"):
        saved = torch.load(path, weights_only=True)
        check_plain(saved, "checkpoint")
        assert "hyper_parameters" not in saved


def test_what_a_killed_writer_left_is_swept_when_the_run_goes_on(settings, tmp_path):
    left = [tmp_path / "run" / ".config.77.yaml", tmp_path / "run/checkpoints/.last.77.ckpt"]
    kept = tmp_path / "run" / "evaluation" / ".report.77.json"  # of a verb that may be running
    for path in (*left, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    fit(run=tmp_path / "run", **settings(epochs=1))
    assert [path.exists() for path in (*left, kept)] == [False, False, True]
