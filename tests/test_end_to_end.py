"""Every verb of both command lines as a user calls it: a process, files, an exit code."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellxai import cli
from cellxai.cli import VERBS
from cellxai.verbs.synthesize import synthesize
from gmm import cli as mixture_cli
from gmm.cli import VERBS as MIXTURE_VERBS

CELLS = ("--data", "cellxai.data.readers.sartorius.Sartorius", "--data.root")

MY_LAB = '''
"""A stranger's file: a network and an explainer of their own."""

from torch import nn

from cellxai.classifier.backbone import Backbone, FeatureNetwork
from cellxai.explain.base import Attribution, Explainer


class SmallNet(Backbone):
    def __init__(self, width: int = 4) -> None:
        self.width = width

    def build(self, load_weights: bool) -> FeatureNetwork:
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        layers = nn.Sequential(nn.Conv2d(3, self.width, 5, stride=4), nn.ReLU(), pooled)
        return FeatureNetwork(layers, self.width)


class BrightTimes(Explainer):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def attribute(self, model, images, targets, context):
        return Attribution(images.mean(1) * self.factor)
'''

FIT = """
data:
  class_path: cellxai.data.readers.sartorius.Sartorius
  init_args: {root: cells}
transforms: {image_size: [64, 64]}
model:
  backbone: {class_path: my_lab.SmallNet, init_args: {width: 6}}
training: {epochs: 1, device: cpu}
"""

EXPLAIN = """
explainers:
  mine: {class_path: my_lab.BrightTimes, init_args: {factor: 2.0}}
  LIME: {class_path: cellxai.explain.lime.LimeReference, init_args: {n_samples: 20}}
  Saliency: {class_path: cellxai.explain.backward.Saliency}
superpixels: {class_path: cellxai.explain.superpixels.Grid, init_args: {size_px: 16}}
"""

BENCHMARK = (
    EXPLAIN
    + """
metrics:
  Gini: {class_path: cellxai.explain.metrics.complexity.Gini}
  mass in cells: {class_path: cellxai.explain.metrics.localisation.RelevanceMass}
images_per_class: 1
"""
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A working directory with data, configs and code of one's own."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "my_lab.py").write_text(MY_LAB)
    for name, text in {"fit": FIT, "explain": EXPLAIN, "benchmark": BENCHMARK}.items():
        (folder / f"{name}.yaml").write_text(text)
    synthesize(folder / "cells", n_images=18, height=64, width=64)
    return folder


def call(folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What a program answers to a command line in a folder."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", program, *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def succeed(folder: Path, program: str, *words: str) -> str:
    """Standard output of a command that must end with exit code 0."""
    done = call(folder, program, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mistake(folder: Path, program: str, *words: str) -> str:
    """The one line on standard error of a command that must end with exit code 2."""
    done = call(folder, program, *words)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{program} {words[0]}: ")
    return line


@pytest.fixture
def mistake_here(monkeypatch, capsys) -> Iterator[Callable[..., str]]:
    """Likewise of the program's entry point in this process, for what imports torch to answer."""

    def call_main(folder: Path, program: str, *words: str) -> str:
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(sys, "argv", [program, *words])
        with pytest.raises(SystemExit) as leaving:
            {"cellxai": cli, "gmm": mixture_cli}[program].main()
        printed = capsys.readouterr()
        assert (leaving.value.code, printed.out) == (2, "")
        (line,) = printed.err.splitlines()
        assert line.startswith(f"{program} {words[0]}: ")
        return line

    yield call_main
    sys.modules.pop("my_lab", None)


@pytest.mark.slow
def test_from_pixels_to_a_page_with_every_verb(desk):
    assert "6 shsy5y, 6 astro, 6 cort" in succeed(
        desk, "cellxai", "synthesize", "--out=new", "--n_images=18", "--height=64", "--width=64"
    )
    assert succeed(desk, "cellxai", "check", *CELLS, "new").startswith("no faults; 18 usable")
    succeed(desk, "cellxai", "preview", *CELLS, "new", "--out=seen", "--n_images=3")
    assert (desk / "seen" / "batch.png").read_bytes().startswith(b"\x89PNG")
    network = ("--model.backbone", "TimmBackbone", "--model.backbone.name", "test_efficientnet")
    size = ("--transforms.image_size", "[64, 64]", "--training.epochs=1", "--training.device=cpu")
    assert "1 epochs" in succeed(
        desk, "cellxai", "fit", *CELLS, "new", "--run=runs/new", *network, *size
    )
    assert "test 0." in succeed(desk, "cellxai", "evaluate", "--run=runs/new", "--device=cpu")
    assert "known images allow" in succeed(
        desk, "cellxai", "density", "--run=runs/new", "--pipeline.percent=10", "--device=cpu"
    )
    explain = ("explain", "--config=explain.yaml", "--run=runs/new", "--device=cpu")
    assert "3 explainers on" in succeed(desk, "cellxai", *explain)
    benchmark = ("benchmark", "--config=benchmark.yaml", "--run=runs/new", "--device=cpu")
    assert "9 attributions computed" in succeed(desk, "cellxai", *benchmark)
    assert "; 0 attributions computed" in succeed(desk, "cellxai", *benchmark)
    export = ("export", "--run=runs/new", "--out=exported", "--device=cpu")
    assert "bitwise equal" in succeed(desk, "cellxai", *export)
    output = succeed(desk, "cellxai", "report", "--run=runs/new")
    assert "not in it yet" not in output
    assert "not readable" not in output
    page = (desk / "runs/new/report/index.html").read_text()
    for shown in ("LIME", "mine", "mass in cells", "synthetic-"):
        assert shown in page


@pytest.mark.slow
def test_a_network_and_an_explainer_of_ones_own_need_a_yaml_alone(desk):
    succeed(desk, "cellxai", "fit", "--config=fit.yaml", "--run=runs/own")
    assert "class_path: my_lab.SmallNet" in (desk / "runs/own/config.yaml").read_text()
    output = succeed(desk, "cellxai", "explain", "--config=explain.yaml", "--run=runs/own")
    assert "3 explainers on" in output
    # Another folder than the one that holds my_lab.py: the run cannot be read, and it is said why.
    elsewhere = desk / "elsewhere"
    elsewhere.mkdir()
    line = mistake(elsewhere, "cellxai", "evaluate", f"--run={desk / 'runs' / 'own'}")
    assert "my_lab" in line


def test_check_lists_every_fault_in_one_line_each_and_exits_with_3(tmp_path):
    images = tmp_path / "faulty" / "train"
    images.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16), dtype=np.uint8)
    for name in ("sound", "unknown", "truncated", "deep", "rle", "two"):
        Image.fromarray(pixels).save(images / f"{name}.png")
    (images / "truncated.png").write_bytes((images / "truncated.png").read_bytes()[:100])
    Image.fromarray(pixels.astype(np.int32)).save(images / "deep.png", format="TIFF")
    rows = [
        ("sound", "1 2", "cort"), ("missing", "1 2", "cort"), ("unknown", "1 2", "hela"),
        ("truncated", "1 2", "astro"), ("deep", "1 2", "astro"), ("rle", "190 9", "astro"),
        ("two", "1 2", "cort"), ("two", "5 2", "astro"),
    ]  # fmt: skip
    with (images.parent / "train.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "annotation", "width", "height", "cell_type"))
        table.writerows((image, runs, 16, 12, label) for image, runs, label in rows)
    done = call(tmp_path, "cellxai", "check", *CELLS, "faulty")
    assert done.returncode == 3
    assert done.stderr == ""
    *faults, note, total = done.stdout.splitlines()
    places = (
        "missing.png", "train.csv row 4", "truncated.png", "deep.png", "train.csv row 7",
        "train.csv row 9",
    )  # fmt: skip
    assert len(faults) == len(places)
    for place in places:
        assert len([line for line in faults if place in line]) == 1, place
    assert note.startswith("note: image rle: the same pixels as image sound")
    assert total.startswith("6 faults, 1 note; ")


def test_a_misspelt_option_is_told_with_the_nearest_one(desk, mistake_here):
    (desk / "wrong.yaml").write_text(FIT.replace("epochs", "epoch"))
    line = mistake_here(desk, "cellxai", "fit", "--config=wrong.yaml", "--run=runs/wrong")
    assert "epochs" in line
    assert not (desk / "runs" / "wrong").exists()


def test_a_folder_that_is_not_there_is_told(desk):
    line = mistake(desk, "cellxai", "check", *CELLS, "nowhere")
    assert "nowhere" in line


def test_a_run_that_is_not_there_is_told(desk):
    line = mistake(desk, "cellxai", "report", "--run=runs/none")
    assert "runs/none" in line
    assert "cellxai fit" in line


@pytest.mark.slow
def test_a_broken_image_is_left_out_of_the_training_and_told(desk):
    synthesize(desk / "broken", n_images=18, height=64, width=64)
    (desk / "broken" / "train" / "synthetic-000004.png").write_bytes(b"\x89PNG and then nothing")
    output = succeed(
        desk, "cellxai", "fit", "--config=fit.yaml", "--data.root=broken", "--run=runs/broken"
    )
    assert "1 faulty images or rows left out" in output
    assert "synthetic-000004" in (desk / "runs/broken/environment.json").read_text()


def test_an_unknown_verb_is_told_with_the_nearest_one(desk):
    done = call(desk, "cellxai", "explian")
    assert done.returncode == 2
    assert "did you mean explain?" in done.stderr


@pytest.mark.slow
def test_a_mixture_from_samples_to_a_picture_with_every_verb(tmp_path):
    random = np.random.default_rng(0)
    samples = np.concatenate([random.normal(size=(60, 2)), random.normal(8, 1, size=(60, 2))])
    np.save(tmp_path / "x.npy", samples)
    np.savetxt(tmp_path / "x.csv", samples, delimiter=",", header="a,b", comments="")
    fitted = succeed(tmp_path, "gmm", "fit", "--x=x.npy", "--out=m.safetensors", "--n_components=2")
    assert "2 full components on 120 x 2" in fitted
    sweep = ("sweep", "--x=x.csv", "--out=best.safetensors", "--max_components=3", "--n_init=2")
    assert ": 2 components, " in succeed(tmp_path, "gmm", *sweep)
    score = ("score", "--mixture=m.safetensors", "--x=x.npy", "--out=s.csv", "--held_out=x.csv")
    assert "12 flagged" in succeed(tmp_path, "gmm", *score, "--percent=10")
    succeed(tmp_path, "gmm", "sample", "--mixture=best.safetensors", "--out=new.npy")
    assert np.load(tmp_path / "new.npy").shape == (100, 2)
    succeed(tmp_path, "gmm", "plot", "--mixture=m.safetensors", "--x=new.npy", "--out=picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_mistake_of_the_mixtures_command_line_is_one_line(tmp_path, mistake_here):
    line = mistake_here(tmp_path, "gmm", "fit", "--x=none.npy", "--out=m.safetensors")
    assert "none.npy" in line


def test_both_overviews_name_every_verb(tmp_path):
    for program, verbs in (("cellxai", VERBS), ("gmm", MIXTURE_VERBS)):
        output = succeed(tmp_path, program, "--help")
        assert all(f"  {name} " in output for name in verbs)
