import pickle
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cellxai.classifier import backbone
from cellxai.classifier.backbone import TimmBackbone

NAME = "test_efficientnet"
RAN: list[str] = []


def explode() -> None:
    RAN.append("boom")


class Bomb:
    """Unpickled carelessly, it runs code."""

    def __reduce__(self):
        return explode, ()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def with_classifier() -> dict[str, torch.Tensor]:
    """Weights of the model with a classifier of 7 classes."""
    torch.manual_seed(1)
    return timm.create_model(NAME, num_classes=7).state_dict()


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"'tf_efficientnetv2_bo' is no .* mean .*efficientnetv2"):
        TimmBackbone("tf_efficientnetv2_bo").build(load_weights=True)


@pytest.mark.parametrize(
    "name", ["test_efficientnet", "test_vit", "test_convnext", "test_mambaout", "test_nfnet"]
)
def test_the_width_and_the_normalisation_are_the_models_own(name):
    network = TimmBackbone(name).build(load_weights=True)
    data = timm.data.resolve_model_data_config(timm.create_model(name))
    assert (network.mean, network.std) == (data["mean"], data["std"])
    with torch.inference_mode():
        assert network.module.eval()(torch.rand(1, 3, 160, 160)).shape == (1, network.n_features)


def test_settings_override_the_models_normalisation_and_reach_timm():
    network = TimmBackbone(NAME, mean=(0.1, 0.2, 0.3), options={"in_chans": 3}).build(False)
    assert network.mean == (0.1, 0.2, 0.3)
    assert network.std == (0.229, 0.224, 0.225)


def test_an_option_the_model_does_not_take_is_named():
    with pytest.raises(ValueError, match=r"options=\{'colour': 'red'\}.*colour"):
        TimmBackbone(NAME, options={"colour": "red"}).build(load_weights=True)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_local_weights_with_another_classifier_are_loaded(
    tmp_path, with_classifier, images, suffix
):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": with_classifier}, path)
    else:
        save_file(with_classifier, path)
    module = TimmBackbone(NAME, weights=path).build(load_weights=True).module.eval()
    whole = timm.create_model(NAME, num_classes=7)
    whole.load_state_dict(with_classifier)
    with torch.inference_mode():
        pooled = whole.eval().forward_head(whole.forward_features(images), pre_logits=True)
        assert torch.equal(module(images), pooled)


def test_weights_are_not_read_where_a_checkpoint_follows():
    TimmBackbone(NAME, weights=Path("nowhere.safetensors")).build(load_weights=False)


def test_weights_of_another_model_are_refused_by_the_first_tensor_that_lacks(tmp_path):
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "other.safetensors")
    first = next(iter(timm.create_model(NAME).state_dict()))
    with pytest.raises(ValueError, match=rf"other\.safetensors: \d+ of the .*first '{first}'"):
        TimmBackbone(NAME, weights=tmp_path / "other.safetensors").build(load_weights=True)


def test_a_tensor_of_another_shape_is_named(tmp_path, with_classifier):
    with_classifier["conv_stem.weight"] = torch.zeros(2, 3, 3, 3)
    save_file(with_classifier, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match=r"1 of the .*'conv_stem\.weight'"):
        TimmBackbone(NAME, weights=tmp_path / "odd.safetensors").build(load_weights=True)


def test_a_file_that_holds_code_is_refused_and_its_code_does_not_run(tmp_path):
    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps(Bomb(), protocol=2))
    torch.load(tmp_path / "bomb.pt", weights_only=False)
    assert RAN.pop() == "boom"  # the bomb is live
    for name in ("bomb.pt", "bomb.pkl"):
        with pytest.raises(ValueError, match="bomb"):
            TimmBackbone(NAME, weights=tmp_path / name).build(load_weights=True)
    assert RAN == []


@pytest.mark.parametrize("name", ["empty.pt", "noise.pt", "noise.safetensors", "list.pt"])
def test_a_file_that_holds_no_weights_is_named_in_one_line(tmp_path, name):
    path = tmp_path / name
    path.write_bytes({"empty": b"", "noise": b"no weights" * 9}.get(path.stem, b""))
    if path.stem == "list":
        torch.save([torch.zeros(2)], path)
    with pytest.raises(ValueError, match=name):
        TimmBackbone(NAME, weights=path).build(load_weights=True)


def test_a_missing_file_and_two_sources_of_weights_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights=.*nowhere\.pt: no such file"):
        TimmBackbone(NAME, weights=tmp_path / "nowhere.pt").build(load_weights=True)
    with pytest.raises(ValueError, match="exclude each other"):
        TimmBackbone(NAME, pretrained=True, weights=Path("a.pt")).build(load_weights=True)


def test_a_download_that_fails_says_what_to_fetch_and_how_to_pass_it(monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Network is unreachable\nfor a page of reasons")

    monkeypatch.setattr(backbone.timm, "create_model", offline)
    with pytest.raises(OSError, match=r"test_efficientnet.*backbone\.weights FILE") as caught:
        TimmBackbone(NAME, pretrained=True).build(load_weights=True)
    assert "\n" not in str(caught.value)


def test_offline_the_download_is_an_error_and_not_random_weights(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OSError, match="could not be downloaded"):
        TimmBackbone(NAME, pretrained=True).build(load_weights=True)
