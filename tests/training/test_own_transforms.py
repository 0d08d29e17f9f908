"""An augmentation of a user's own, in a file outside the repository, named by a config."""

import sys

import pytest

from cellxai.files.folder import RunFolder
from cellxai.trained.run import load_run
from cellxai.verbs.fit import fit
from gmm.commandline.parser import arguments_of

MY_LAB = """
import numpy as np

from cellxai.data.pixels.augmentation import Augmentation


class Noise(Augmentation):
    def __init__(self, sd: float = 1.0) -> None:
        self.sd = sd

    def augment(self, image, random):
        return (image + random.normal(0, self.sd, image.shape)).clip(0, 255).astype(np.uint8)
"""

CONFIG = """
data: {class_path: cellxai.data.readers.folder.ImageFolder, init_args: {root: cells}}
transforms:
  image_size: [32, 32]
  augmentations: [{class_path: my_augmentations.Noise, init_args: {sd: 3.0}}]
model:
  backbone:
    class_path: cellxai.classifier.backbone.TimmBackbone
    init_args: {name: test_efficientnet}
training: {epochs: 1, batch_size: 4, device: cpu}
"""


@pytest.fixture
def lab(cells, tmp_path, monkeypatch):
    (tmp_path / "my_augmentations.py").write_text(MY_LAB)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("my_augmentations", None)


def fitted(*words: str):
    return fit(
        **arguments_of("cellxai fit", fit, ["--config", "mine.yaml", "--run", "run", *words])
    )


def test_it_trains_and_is_recorded_and_read_back(lab):
    run = fitted().run
    assert "my_augmentations.Noise" in RunFolder(run).config.read_text()
    sys.modules.pop("my_augmentations")
    sys.path.remove(str(lab))
    assert load_run(run, "cpu").transforms.augmentations == []  # nothing of it is imported


def test_the_tensor_pipeline_refuses_what_it_cannot_know(lab):
    with pytest.raises(ValueError, match=r"augmentations=Noise: .* pass pipeline=albumentations"):
        fitted("--loading.pipeline", "tensor")
