import json
import pickle
from pathlib import Path

import pytest
import torch
from exported_card import rewrite
from safetensors.torch import load_file

from cellxai.files.identity import hash_file
from cellxai.trained.run import load_run
from cellxai.verbs.export import load_exported


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


def test_weights_of_another_shape_are_an_error_in_one_line(copied):
    state = load_file(copied / "model.safetensors")
    rewrite(copied, classes=["a", "b"])
    with pytest.raises(ValueError, match="weights and card do not fit each other") as error:
        load_exported(copied)
    assert "\n" not in str(error.value)
    assert state["head.3.weight"].shape[0] == 3
