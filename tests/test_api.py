"""The functions of ``cellxai.api``: text for paths, and results that can be used."""

import inspect
import pydoc
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from cellxai import api, cli
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.splits import SplitSettings
from cellxai.explain.backward import Saliency
from cellxai.files.frame import Frame
from cellxai.files.returned import Returned
from cellxai.files.text_paths import names_path, with_paths

VERBS = sorted({*api.__all__} - {"allow", "load_exported", "load_run"})
RESULTS = "check crossvalidate density evaluate explain fit grid merge models runs score benchmark"


def test_every_verb_of_the_command_line_is_a_function_of_the_same_name():
    assert {*cli.VERBS} == {*VERBS}
    assert all(getattr(api, name).__name__ == name for name in api.__all__)


@pytest.mark.parametrize("name", [*VERBS, "load_run"])
def test_every_path_of_a_verb_is_taken_as_text(name):
    """The verb itself is told what it was called with, and is not run."""
    verb = inspect.unwrap(getattr(api, name))
    paths = [p for p in inspect.signature(verb).parameters.values() if names_path(p.annotation)]
    got = {}
    spy = api.taking_text(recording(verb, got))
    spy(**{parameter.name: f"runs/{parameter.name}" for parameter in paths} | others(verb, paths))
    assert {p.name: got[p.name] for p in paths} == {p.name: Path(f"runs/{p.name}") for p in paths}
    assert paths or name in ("check", "models")
    for parameter in paths:
        shown = inspect.signature(getattr(api, name)).parameters[parameter.name].annotation
        assert "str" in str(shown)
        assert "Path" in str(shown)


def recording(verb, got):
    signature = inspect.signature(verb)

    def record(*args, **kwargs):
        got.update(signature.bind(*args, **kwargs).arguments)

    record.__signature__ = signature
    return record


def others(verb, paths) -> dict:
    """What else has to be given."""
    needed = inspect.signature(verb).parameters.values()
    return {p.name: None for p in needed if p.default is p.empty and p not in paths}


@dataclass(frozen=True)
class Reader:
    """A source that a user wrote; ours are checked in tests, and would refuse text."""

    root: Path
    masks: Path | None = None
    pattern: str = "*.png"
    inner: "Reader | None" = None


def test_text_becomes_a_path_inside_settings_and_nowhere_else():
    read = with_paths(Reader("images", "masks", inner=Reader("others")), None)
    assert read == Reader(Path("images"), Path("masks"), inner=Reader(Path("others")))
    assert with_paths({"other": Reader("cells")}, None)["other"].root == Path("cells")
    assert with_paths("test", str | None) == "test"
    assert with_paths("either", str | Path) == "either"
    settings = SplitSettings()
    assert with_paths(settings, SplitSettings) is settings
    assert with_paths(None, Path | None) is None


@pytest.mark.slow
def test_our_readers_are_given_paths_outside_of_tests():
    code = "from cellxai.api import check; from cellxai.data.readers.folder import ImageFolder; "
    code += "check(ImageFolder('no-such-folder'))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stderr.splitlines()[-1].startswith("FileNotFoundError")


@pytest.mark.parametrize("name", VERBS)
def test_help_is_a_page_that_can_be_read(name):
    page = pydoc.plain(pydoc.render_doc(getattr(api, name)))
    signature = page.splitlines()[2]
    assert len(signature) < 1400
    assert "object at 0x" not in page
    assert "Args:" in page
    assert inspect.signature(getattr(api, name)).return_annotation is not inspect.Signature.empty


def test_a_wrong_argument_names_the_verb():
    with pytest.raises(TypeError, match=r"evaluate: missing a required argument: 'run'"):
        api.evaluate()
    with pytest.raises(TypeError, match=r"explain: got an unexpected keyword argument 'imgaes'"):
        api.explain("run", imgaes="x")


@pytest.mark.parametrize("name", RESULTS.split())
def test_what_has_a_table_gives_it(name):
    result = inspect.signature(getattr(api, name)).return_annotation
    kinds = [kind for kind in getattr(result, "__args__", (result,)) if kind.__name__ != "DryRun"]
    assert all(issubclass(kind, Returned) and callable(kind.to_frame) for kind in kinds)


@pytest.mark.slow
def test_a_run_is_walked_through_with_text_for_every_path(tiny_run, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("PIL.Image.Image.show", lambda image: shown.append(image.size))
    run = str(shutil.copytree(tiny_run, tmp_path / "runs" / "run"))
    evaluated = api.evaluate(run, device="cpu")
    frame = evaluated.to_frame()
    assert {*frame["part"]} == {*evaluated.accuracy}
    part = evaluated.judged_part
    rows = frame.where(part=part)
    right = [row["label"] == row["predicted"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(evaluated.accuracy[part])
    assert evaluated.metrics["judged_part"] == part
    evaluated.show()
    assert len(shown) == len(list(evaluated.folder.glob("*.png"))) > 0
    assert "data:image/png;base64," in evaluated._repr_html_()

    explained = api.explain(run, {"grad": Saliency()}, device="cpu")
    assert explained.maps["grad"].shape == (len(explained.images), 64, 64)
    assert torch.isfinite(explained.maps["grad"]).all()
    frame = explained.to_frame()
    assert frame["id"] == list(explained.images)
    assert {*frame["status"]} == {"ok"}
    assert explained._repr_html_().count("<img") == len(explained.images)

    assert api.load_run(run, "cpu").classes
    assert len(api.density(run, device="cpu").to_frame()) > 0
    scored = api.score(run, images=[str(path) for path in images_of(tiny_run)[:2]], device="cpu",
                       out=str(tmp_path / "score"))  # fmt: skip
    assert len(scored.to_frame()) == 2
    compared = api.benchmark(run, {"grad": Saliency()}, images_per_class=1, device="cpu")
    assert isinstance(compared.to_frame(), Frame)
    assert compared.to_frame()["explainer"][0] == "grad"
    assert api.features(run, device="cpu", out=str(tmp_path / "f.safetensors")).path.is_file()
    assert api.export(run, str(tmp_path / "export"), device="cpu").folder.is_dir()
    assert api.report(run).path.is_file()
    assert len(api.runs(str(tmp_path / "runs"), str(tmp_path / "runs.csv")).to_frame()) == 1
    cells = tiny_run.parent / "cells"
    assert len(api.check(Sartorius(cells)).to_frame()) == 0
    assert api.preview(Sartorius(cells), str(tmp_path / "preview"))._repr_html_()
    again = api.fit(**same_settings(tiny_run), run=run)
    assert again.to_frame()["epoch"]
    assert again.load("cpu").classes == api.load_run(run, "cpu").classes


def images_of(run: Path) -> list[Path]:
    return sorted((run.parent / "cells").rglob("*.png"))


def same_settings(run: Path) -> dict:
    """What ``tiny_run`` was fitted with."""
    from cellxai.classifier.backbone import TimmBackbone
    from cellxai.classifier.module import ModelSettings
    from cellxai.data.pixels.transforms import Transforms
    from cellxai.training.settings import TrainingSettings

    return {
        "data": Sartorius(run.parent / "cells"),
        "transforms": Transforms(image_size=(64, 64)),
        "model": ModelSettings(TimmBackbone("test_efficientnet")),
        "training": TrainingSettings(epochs=2, batch_size=8, device="cpu"),
    }
