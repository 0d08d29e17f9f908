"""The verb: what its runs say, in Python, in a process that is interrupted, and in a browser."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from browsers import wait_until

from cellxai.explain.backward import GradCam
from cellxai.explain.base import unsupported_attribution
from cellxai.files.folder import read_csv
from cellxai.verbs.score import score
from cellxai.verbs.view import view
from cellxai.verbs.view.jobs import Jobs
from cellxai.verbs.view.viewed_run import ViewedRun, read_runs

MODULE = "cellxai.verbs.view.viewed_run"
ATTACK = "<img src=x onerror=alert(1)>"


def test_a_folder_that_is_no_run_and_a_port_that_is_none_are_errors_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no config\.yaml; expected the --run"):
        view(tmp_path)
    with pytest.raises(ValueError, match="port=70000: expected 0 to 65535"):
        view(tmp_path, port=70000)


@pytest.fixture(scope="module")
def viewed(tiny_run, tmp_path_factory) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("view") / "run"))


@pytest.mark.slow
def test_a_dropped_image_gets_what_score_and_explain_say(viewed, tiny_run, tmp_path):
    (run,) = read_runs([viewed], ["run"], "cpu")
    image = next((tiny_run.parent / "cells").rglob("train/*.png"))
    scored = score(viewed, str(image), tmp_path / "out", device="cpu")
    (row,) = read_csv(scored.folder / "scores.csv")
    verdict = run.judge(image)
    assert verdict["predicted"] == row["predicted"]
    assert max(p for _, p in verdict["probabilities"]) == float(row["probability"])
    subject = run.read(image)
    (answer,) = run.explain(subject, {"gradcam": GradCam()})
    assert answer["status"] == "ok"
    assert answer["picture"].startswith("data:image/png;base64,")
    assert run.picture(subject).shape == (64, 64, 3)
    (failed,) = run.explain(subject, {"broken": Broken()})
    assert (failed["status"], failed["reason"]) == ("failed", "no such layer")


@pytest.mark.slow
def test_what_cannot_be_decoded_is_one_line_without_our_own_name_of_it(viewed, tmp_path):
    (run,) = read_runs([viewed], ["run"], "cpu")
    jobs = Jobs([run], tmp_path)
    path = jobs.new_file()
    path.write_bytes(b"no image")
    jobs.start()
    name = jobs.add(run, path, ["gradcam"])
    job = jobs.find(name)
    assert job is not None
    while job.state != "done":
        time.sleep(0.05)
    jobs.stop()
    assert job.problem.startswith("this file: no image, expected PNG")


class Broken(GradCam):
    def attribute(self, *_):
        raise ValueError("no such layer")


def heed_ctrl_c() -> None:
    """A process in the background of a shell is told to ignore it, and tells its own so."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(viewed):
    command = [sys.executable, "-m", "cellxai", "view", "--run", str(viewed), "--device", "cpu"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("view: http://127.0.0.1:")
    os.kill(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "view: stopped\n")
    assert "Traceback" not in errors


@pytest.mark.slow
def test_names_stay_text_in_the_browser_and_maps_come_as_they_are_done(served, chromium, tmp_path):
    page = chromium.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
    page.goto(served.server.address)
    name = f"{ATTACK}.png"
    page.set_input_files("[data-part=files]", [
        {"name": name, "mimeType": "image/png", "buffer": b"PNG"},
        {"name": "broken", "mimeType": "image/png", "buffer": b"no"},
    ])  # fmt: skip
    wait_until(page, "document.querySelectorAll('.answer figure').length == 4")
    wait_until(page, "document.querySelectorAll('.answer .note.bad').length == 1")
    text = page.locator("[data-part=answers]").inner_text()
    assert name in text
    assert "<b>astro</b>" in text
    assert "this file is no image" in text
    assert said == []


def test_a_map_without_a_number_is_no_picture(monkeypatch):
    image = torch.rand(1, 3, 8, 8)
    nothing = unsupported_attribution(image, "not on this network")
    monkeypatch.setattr(f"{MODULE}.attribute_with_cost", lambda *_: nothing)
    trained = SimpleNamespace(transforms=SimpleNamespace(plane_names=()))
    scored = SimpleNamespace(model=None, column=lambda target: target)
    run = ViewedRun("run", *cast(Any, (trained, None, scored)))
    subject = cast(Any, SimpleNamespace(image=image, target=0))
    (answer,) = run.explain(subject, {"gradcam": GradCam()})
    assert (answer["status"], answer["picture"]) == ("unsupported", "")
