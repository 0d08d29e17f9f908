from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from cellxai.classifier.backbone import Backbone, FeatureNetwork, TimmBackbone
from cellxai.classifier.loss import LossSettings
from cellxai.classifier.module import HeadSettings, ModelSettings
from cellxai.classifier.optimiser import OptimiserSettings
from cellxai.data.loading.settings import LoadingSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.data.readers.sartorius import Sartorius
from cellxai.data.readers.table import Manifest
from cellxai.data.readers.wbc import WhiteBloodCells
from cellxai.data.splits import SplitSettings
from cellxai.files.config import (
    as_config,
    build_arguments,
    read_config,
    remember_arguments,
    write_config,
)
from cellxai.training.settings import TrainingSettings
from cellxai.verbs.fit import fit

HERE = Path("/somewhere")
SOURCES = [
    ImageFolder(HERE, masks=HERE / "masks"),
    ImageFolder(HERE),
    Manifest(HERE / "images.csv", root=HERE),
    Sartorius(HERE, table="a.csv", labels="b.csv", classes=["x", "y"]),
    Sartorius(HERE),
    WhiteBloodCells(HERE, min_per_class=2),
]


class Forgetful(Backbone):
    def __init__(self, width: int) -> None:
        self.w = width

    def build(self, load_weights: bool) -> FeatureNetwork:
        raise NotImplementedError


@dataclass(frozen=True)
class Mine(Backbone):
    options: dict[str, int | str]
    near: Path | None = None

    def build(self, load_weights: bool) -> FeatureNetwork:
        raise NotImplementedError


# No two objects of Lightning or Albumentations are equal: see tests/training; the tensor pipeline
# takes no workers, and TensorBoard need not be installed.
# Copies cannot be kept together where a file parts the images.
ELSEWHERE = {
    "callbacks", "loggers", "augmentations", "tensorboard", "pipeline", "keep_copies_together",
    "colour", "levels", "group_by", "stratify_by", "stack",
}  # fmt: skip


def arguments(source) -> dict:
    """Arguments of ``fit``, none of them a default."""
    return {
        "data": source,
        "run": HERE / "run",
        "split": SplitSettings(0.3, 0.1, seed=4, file=HERE / "split.csv", n_folds=5, fold=2,
                               rare_classes="leave_out"),
        "transforms": Transforms((32, 48), crop=16, colour="rgb", clahe=False, random_clahe=0.1,
                                 brightness=0.3, sixteen_bit="full", percentiles=(1.0, 99.0),
                                 full_scale=4095),
        "model": ModelSettings(
            TimmBackbone("resnet18", weights=HERE / "w.safetensors", options={"drop_rate": 0.5},
                         mean=(0.1, 0.2, 0.3)),
            HeadSettings(hidden=None, dropout=0.1),
            frozen_statistics=True,
            trainable="head",
            own_image_size=True,
        ),
        "training": TrainingSettings(
            3, 6, "balanced", None, OptimiserSettings(1e-4, 0.5, 0.2, 9, 1e-7), "cpu",
            devices=2, precision="bf16-mixed", channels_last=True, compile=True,
            accumulate_batches=2, gradient_clip=0.5, checkpoint_every_steps=7,
            loss=LossSettings(0.1, 0.2), ema_decay=0.9, cached_views=4,
            monitor="validation_macro_f1",
        ),
        "loading": LoadingSettings(HERE / "cache", workers=2, order="balanced"),
        "seed": 11,
    }  # fmt: skip


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_what_is_written_builds_the_same_arguments(tmp_path, source):
    written = arguments(source)
    write_config(tmp_path / "config.yaml", written)
    assert build_arguments(fit, tmp_path / "config.yaml") == written


def test_the_example_above_leaves_no_setting_at_its_default():
    for group in ("split", "transforms", "model", "training", "loading"):
        given = arguments(SOURCES[0])[group]
        same = [
            f.name
            for f in fields(given)
            if getattr(given, f.name) == getattr(type(given)(), f.name)
        ]
        assert set(same) <= {"horizontal_flip", "vertical_flip", *ELSEWHERE}


def test_a_class_of_the_users_own_is_written_by_its_path(tmp_path):
    config = as_config(Mine({"depth": 2, "kind": "a"}, HERE))
    assert config == {
        "class_path": f"{__name__}.Mine",
        "init_args": {"options": {"depth": 2, "kind": "a"}, "near": "/somewhere"},
    }
    written = arguments(SOURCES[0]) | {"model": ModelSettings(Mine({"depth": 2}))}
    write_config(tmp_path / "config.yaml", written)
    assert build_arguments(fit, tmp_path / "config.yaml") == written


def test_a_class_that_does_not_keep_an_argument_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(
        ValueError, match=r"Forgetful does not keep .*'width'.* self\.width = width"
    ):
        write_config(tmp_path / "config.yaml", {"model": ModelSettings(Forgetful(3))})
    assert not list(tmp_path.iterdir())


def test_relative_paths_are_written_so_that_any_folder_reads_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert as_config(Path("images")) == str(tmp_path / "images")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "expected"),
        ("a: [", "YAML"),
        ("", "expected"),
    ],
)
def test_a_file_that_is_no_config_is_named(tmp_path, text, said):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"config\.yaml.*{said}") as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["seeed: 1", "seed: many", "data: {class_path: nowhere.Images}", "training: {epoch: 3}"],
)
def test_a_config_that_does_not_fit_the_function_is_named_in_one_line(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml: .") as caught:
        build_arguments(fit, path)
    assert "\n" not in str(caught.value)


def test_a_value_the_settings_refuse_is_a_value_error(tmp_path):
    write_config(tmp_path / "config.yaml", arguments(SOURCES[0]))
    text = (tmp_path / "config.yaml").read_text().replace("epochs: 3", "epochs: 0")
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match="epochs=0"):
        build_arguments(fit, tmp_path / "config.yaml")


class Keeping:
    """Of a library that keeps its arguments under names of its own."""

    def __init__(self, size: int, near: Path | None = None) -> None:
        self._size = (size, near)


def test_what_a_config_said_is_recorded_of_a_class_that_keeps_nothing():
    made = remember_arguments(Keeping, size=3, near=HERE)
    assert as_config(made) == {
        "class_path": f"{__name__}.Keeping",
        "init_args": {"size": 3, "near": "/somewhere"},
    }
    with pytest.raises(ValueError, match="Keeping does not keep its argument 'size'"):
        as_config(Keeping(3))
