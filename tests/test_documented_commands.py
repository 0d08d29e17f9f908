"""Every line that README and docs tell to type means what the program takes, and runs.

Placeholders are filled in by :data:`PLACES`. What would take minutes or download weights is made
small by :data:`SMALL`, where the line does not say otherwise itself; all else is as it stands.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from documented_commands import (
    Command,
    block_with,
    each_once,
    options_in,
    read_commands,
    read_files,
)
from PIL import Image

from cellxai import cli
from cellxai.data.readers.folder import ImageFolder
from cellxai.files.config import write_config
from cellxai.files.folder import read_csv
from cellxai.training.run_settings import RunSettings
from gmm import cli as mixture_cli
from gmm.commandline import run
from gmm.commandline.parser import option_names, parser_of, without_empty_configs
from gmm.commandline.trust import trust_own_words
from tests.support.lab_files import write_lab_files
from tests.support.screen_files import write_channels, write_label_maps, write_plates

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
DOCUMENTS = [README, *sorted((REPOSITORY / "docs").glob("*.md"))]
VERBS = {"cellxai": cli.VERBS, "gmm": mixture_cli.VERBS}
COMMANDS = each_once(command for document in DOCUMENTS for command in read_commands(document))
EXTEND, MIXTURES = REPOSITORY / "docs/extend.md", REPOSITORY / "docs/gmm.md"

RUN = "runs/quickstart"
PLACES = {
    "CLASS": ["ImageFolder", "--data.root", "my_images"], "DIR": [RUN], "FOLDER": ["runs"],
    "i/n": ["1/2"], "…": [],
}  # fmt: skip
REQUIRED = {
    "data": ["--data", "ImageFolder", "--data.root", "my_images"], "run": ["--run", RUN],
}  # fmt: skip
OPTIONAL = re.compile(r"\[.+\]")  # left out
OWN = ["configs/fit/folder.yaml", "--data.root", "my_images", "--run"]  # behind --config …
NETWORK = ["--model.backbone.name", "test_efficientnet", "--model.backbone.pretrained", "false"]
TRAINING = [*NETWORK, "--training.epochs", "1", "--transforms.image_size", "[32,32]"]
GRID = {
    "data.root": ["my_images"], "model.backbone.name": ["test_efficientnet"],
    "model.backbone.pretrained": [False], "transforms.image_size": [[32, 32]],
    "training.epochs": [1, 2],
}  # fmt: skip
SMALL = {
    "quickstart": [
        "--n_images", "24", "--model.backbone.name", "test_efficientnet", "--training.epochs", "1",
        "--transforms.image_size", "[64,64]",
    ],
    "synthesize": ["--n_images", "6", "--height", "64", "--width", "64"],
    "fit": TRAINING,
    "crossvalidate": TRAINING,
    "grid": ["--vary", json.dumps(GRID)],
    "density": ["--pipeline.n_folds", "3", "--detectors", "{}"],
    "explain": ["--explainers", "gradcam"],
    # One size of batches, as the whole and its shards are merged here and have to agree to the bit.
    "benchmark": [
        "--config", "configs/benchmark/smoke.yaml", "--images_per_class", "1", "--batch_size", "8",
    ],
}  # fmt: skip
NOT_RUN = {
    "PATH/TO/": "real data, which is not in this repository, and minutes to hours",
    "torchrun": "two processes: tests/training does that",
    "configs/benchmark/": "minutes; tests/verbs/benchmark runs each config in small",
    "configs/fit/wbc": "real data",
    "configs/fit/vit": "minutes, as configs/fit/folder.yaml",
    "data/vit_cells": "a minute, as the quickstart's",
    "configs/fit/shuffled": "minutes, as configs/fit/folder.yaml",
    "runs/wbc_frozen": "a run on real data",
    "runs/sartorius_mobilenet": "a run on real data",
    "runs/qs": "the quickstart with other seeds, of which one is run in small",
    "stains": "minutes; tests/verbs/test_planes.py takes planes through the verbs",
    "cellxai view": "serves until Ctrl-C; tests/verbs/view does that",
    "--run runs/other": "a second run; tests/report/several compares two",
    "cells_": "real data; tests/verbs/test_single_cells.py runs cells in small",
    "runs/shortcut": "the runs of scripts/shortcut_test.py, which take an hour",
}
OF_READERS_IMAGES = ("cells.md", "plates.md", "formats.md")  # run on files that are made for them
FIT_CELLS = (
    "cellxai fit --config configs/fit/cells_sartorius.yaml --run runs/cells_sartorius "
    "--data.source.init_args.root PATH/TO/sartorius --model.backbone.weights null "
    "--model.backbone.options {}"
)
OWN_NETWORK = "my_network.yaml"  # is small, and takes no option of timm's
RUN_BARE = ("quickstart", "models")  # verbs that need no option
MAY_FIND = {"check": 3}  # exit codes that are findings of the verb


def fill_in(verb: str, words: list[str]) -> list[str]:
    """The words with something in the place of each placeholder."""
    filled: list[str] = []
    for place, word in enumerate(words):
        option = words[place - 1] if place else ""
        if (option, word) == ("--config", "…"):
            filled += [*OWN, f"runs/{verb}"]
        elif (option, word) == ("--run", "…"):
            filled.append(RUN)
        elif word == "…" and option.startswith("--"):
            filled.pop()  # a value that the reader chooses
        elif (option, word) == ("--out", "DIR"):
            filled.append("out")
        elif (option, word) == ("--target", "CLASS"):
            filled.append("astro")
        elif option.startswith("--") or not OPTIONAL.fullmatch(word):  # a list is a value
            filled += PLACES.get(word, [word])
    return filled


def complete(command: Command, words: list[str]) -> list[str]:
    """The words, with what is required where prose leaves it out."""
    if command.is_whole:
        return words
    program, name, *_ = command.words
    required = parser_of("", VERBS[program][name].load()).required_names
    missing = [option for option in REQUIRED if option in required and f"--{option}" not in words]
    return [*words, *(word for option in missing for word in REQUIRED[option])]


def make_small(verb: str, words: list[str]) -> list[str]:
    """The words, with options that make the work small unless the line has them itself."""
    small = [] if OWN_NETWORK in words else SMALL.get(verb, [])
    pairs = zip(small[::2], small[1::2], strict=True)
    added = [word for pair in pairs if pair[0] not in words for word in pair]
    return [*words, *added]


def is_by_name_alone(command: Command) -> bool:
    """Whether a line only names a verb, or an option of it without a value."""
    program, name, *words = command.words
    if name == "VERB" or not (words or name in RUN_BARE):
        assert name in {"VERB", *VERBS[program]}
        return True
    options = option_names(parser_of("", VERBS[program][name].load()))
    return bool(words) and words[-1].removeprefix("--") in options and words[-1][:2] == "--"


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder in which a reader of the documents stands, with what they tell him to write."""
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    for name, text in read_files(EXTEND, "my_lab.py").items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("my_lab", None)  # other tests have another file of that name


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_every_line_is_one_that_the_program_takes(command, desk):
    if is_by_name_alone(command):
        return
    write_config(
        desk / "runs/mine/config.yaml", vars(RunSettings(ImageFolder(desk), desk / "runs/mine"))
    )
    program, name, *words = command.words
    verb = VERBS[program][name]
    parser = parser_of(f"{program} {name}", verb.load())
    words = complete(command, list(verb.name_subject(fill_in(name, words))))
    trust_own_words(words, [])
    parser.parse_args(without_empty_configs(words))


def test_every_option_that_the_readme_names_is_one_of_some_verb():
    known = {"--help", "--config", "--print_config", "--debug", "--allow", "--nproc_per_node"}
    for verbs in VERBS.values():
        for verb in verbs.values():
            known |= {f"--{name}" for name in option_names(parser_of("", verb.load()))}
    named = options_in(README.read_text(encoding="utf-8"))
    of_a_class = ("--data.", "--model.backbone.", "--mask.")  # options of what is chosen there
    assert [name for name in named if name not in known and not name.startswith(of_a_class)] == []


def test_lines_are_found_wherever_a_document_has_them(tmp_path):
    (tmp_path / "a.md").write_text(
        "Call `cellxai fit --seed 1`; not `cellxai/cli.py`.\n"
        "| `cellxai score --run DIR` | `--n_shown 3`, or `configs/a/b.yaml` |\n"
        "| `gmm fit` · `sweep` | mixtures |\n"
        "```sh\nW=a.pt\n.venv/bin/cellxai fit \\\n  --x $W   # why\n"
        "for v in a b; do cellxai $v --run r; done\nmake test\n```\n"
    )
    commands = read_commands(tmp_path / "a.md")
    assert [" ".join(command.words) for command in commands] == [
        "cellxai fit --x a.pt", "cellxai a --run r", "cellxai b --run r",
        "cellxai fit --seed 1", "cellxai score --run DIR", "cellxai score --run DIR --n_shown 3",
        "cellxai score --run DIR --config configs/a/b.yaml", "gmm fit", "gmm sweep",
    ]  # fmt: skip
    assert [command.is_whole for command in commands] == [True] * 3 + [False] * 6


@pytest.mark.slow
def test_the_mixtures_of_the_documents_run():
    x = np.random.default_rng(0).normal(size=(200, 2))
    names = {"x": x}
    exec(block_with(MIXTURES.read_text(encoding="utf-8"), "GaussianMixture(8"), names)
    assert names["scores"].shape == names["outliers"].shape == (200,)
    assert names["best"].n_components < 4  # one Gaussian made them


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
def test_every_line_that_can_be_run_here_runs(desk, capsys):
    draw_my_images(desk / "my_images")
    succeed(Command("", "cellxai quickstart", True), capsys)
    shutil.copytree(desk / "my_images/glia", desk / "my_files")
    for file in sorted((desk / "my_files").iterdir()):
        file.rename(file.with_name(f"glia_{file.name}"))
    for name in ("plates", "photos", "other/cort"):
        images = sorted((desk / RUN / "data/other objective/train").glob("*.png"))[:3]
        (desk / name).mkdir(parents=True)
        for image in images:
            shutil.copy(image, desk / name)
    for command in COMMANDS:
        if Path(command.document).name in OF_READERS_IMAGES or is_by_name_alone(command):
            continue
        if not any(words in command.text for words in NOT_RUN):
            succeed(command, capsys)
    assert {row["run"] for row in read_csv(desk / "runs/runs.csv")} >= {"quickstart", "mine"}


@pytest.mark.slow
@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("document", OF_READERS_IMAGES)
def test_every_line_about_a_readers_own_images_runs(document, desk, capsys):
    own = Path("PATH/TO")
    if document == "formats.md":
        write_lab_files(Path("my_images"), "hyperstack", per_class=2)
    elif document == "plates.md":
        write_plates(own)
        write_channels(own, "images")
        write_channels(own, "new")
    else:
        succeed(Command("", f"cellxai synthesize --out {own}/sartorius", True), capsys)
        write_label_maps(own / "sartorius", own / "new", own / "new_masks")
        succeed(Command("", FIT_CELLS, True), capsys)
    lines = [line for line in COMMANDS if Path(line.document).name == document]
    run_lines = [line for line in lines if not is_by_name_alone(line)]
    for command in run_lines:
        succeed(command, capsys)
    assert run_lines


def draw_my_images(root: Path) -> None:
    """Two classes of ten small pictures, of which one class is brighter."""
    generator = np.random.default_rng(0)
    for label, level in (("glia", 100), ("neuron", 150)):
        (root / label).mkdir(parents=True)
        for number in range(10):
            noise = generator.normal(level, 30, (40, 40)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noise).save(root / label / f"{number}.png")


def succeed(command: Command, capsys) -> None:
    """Runs a line in small, and fails with what it printed."""
    program, name, *words = command.words
    named = list(VERBS[program][name].name_subject(fill_in(name, words)))
    words = make_small(name, complete(command, named))
    code = run(program, "", VERBS[program], [name, *words])
    printed = capsys.readouterr()
    said = f"{command.document}: {program} {name} {' '.join(words)}\n{printed.err[-2000:]}"
    assert code in (0, MAY_FIND.get(name, 0)), said
