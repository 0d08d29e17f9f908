"""The network that is exported."""

import pytest
import torch

from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.module import CellClassifier, HeadSettings
from cellxai.data.pixels.transforms import Transforms
from cellxai.files.config import as_config
from cellxai.verbs.export.network import (
    build_network,
    build_plain_settings,
    build_transforms,
    keep_preparation,
    make_portable,
    network_of,
)

MODEL = {
    "backbone": {
        "class_path": "cellxai.classifier.backbone.TimmBackbone",
        "init_args": {"name": "test_efficientnet", "pretrained": True, "weights": "/home/a.pt"},
    },
    "head": {"hidden": 8, "dropout": 0.5},
}


def test_the_network_answers_bitwise_as_the_classifier():
    features = TimmBackbone("test_efficientnet").build(load_weights=False)
    classifier = CellClassifier(features, HeadSettings(hidden=8), 3).eval()
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network_of(classifier)(images), classifier(images))


def test_where_the_first_weights_came_from_is_not_passed_on():
    recorded = make_portable(MODEL)["backbone"]["init_args"]
    assert recorded == {"name": "test_efficientnet", "pretrained": False, "weights": None}
    assert MODEL["backbone"]["init_args"]["weights"] == "/home/a.pt"


def test_a_network_is_built_from_its_record_with_every_tensor_of_the_classifier():
    network = build_network(make_portable(MODEL), 5, None)
    assert network.head[-1].out_features == 5
    assert {name for name, _ in network.named_buffers()} >= {"mean", "std"}
    assert not network.training


def test_a_class_of_ones_own_is_asked_for_and_never_imported():
    own = {"class_path": "antigravity.Own", "init_args": {"width": 6}}
    with pytest.raises(ValueError, match=r"backbone=Own\(\.\.\.\)\) with \{'width': 6\}"):
        build_network({"backbone": own, "head": MODEL["head"]}, 2, None)
    network = build_network(
        {"backbone": own, "head": MODEL["head"]}, 2, TimmBackbone("test_efficientnet")
    )
    assert network.head[-1].out_features == 2


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hidden": "many"}, "HeadSettings"),
        ({"surprise": 1}, "HeadSettings"),
        ({"hidden": {"class_path": "os.system"}}, "names the class os.system"),
    ],
)
def test_a_record_that_is_none_is_one_line(changed, told):
    settings = make_portable(MODEL)
    with pytest.raises(ValueError, match=told) as error:
        build_network({**settings, "head": {**settings["head"], **changed}}, 2, None)
    assert "\n" not in str(error.value)


def test_images_are_prepared_as_recorded_and_never_augmented():
    transforms = Transforms((24, 32), crop=16, colour="rgb", clahe=False, brightness=0.3)
    recorded = as_config(keep_preparation(transforms))
    result = build_transforms(recorded)
    assert (result.image_size, result.planes, result.clahe) == ((24, 32), "rgb", False)
    assert result.crop is None
    assert (result.horizontal_flip, result.vertical_flip, result.brightness) == (0, 0, 0)


@pytest.mark.parametrize("step", ["evil_lab.X", {"class_path": "evil_lab.X"}])
def test_no_class_that_a_card_names_is_imported_in_whatever_way_it_is_written(
    tmp_path, monkeypatch, step
):
    (tmp_path / "evil_lab.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"names the class evil_lab\.X"):
        build_plain_settings(Transforms, {"augmentations": [step]})
