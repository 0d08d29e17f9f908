import pickle
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from cellxai.classifier import backbone
from cellxai.classifier.backbone import TimmBackbone
from cellxai.classifier.weights import check_downloadable, strip_prefix

NAME = "test_efficientnet"
FETCH = (
    r"of 'test_efficientnet' could not be downloaded \(\w+\).*fetch model\.safetensors of the hub "
    r"repository timm/test_efficientnet\.r160_in1k.*--model\.backbone\.weights FILE"
)
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


PREFIXES = ["", "model.", "module.", "backbone.", "_orig_mod.", "model._orig_mod.", "net.trunk."]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("nest", [None, "state_dict", "model"])
def test_what_a_training_program_put_before_the_names_is_taken_off(
    tmp_path, with_classifier, prefix, nest
):
    state = {prefix + name: value for name, value in with_classifier.items()}
    state |= {"head.4.weight": torch.zeros(7, 9), "accuracy.total": torch.zeros(())}
    torch.save({nest: state, "epoch": 3} if nest else state, tmp_path / "a.ckpt")
    module = TimmBackbone(NAME, weights=tmp_path / "a.ckpt").build(load_weights=True).module
    for name, value in module.state_dict().items():
        assert torch.equal(value, with_classifier[name]), name


def test_of_two_networks_in_a_file_the_more_complete_is_read():
    wanted = ["conv.weight", "conv.bias"]
    state = {
        "ema.conv.weight": torch.zeros(1), "student.conv.weight": torch.ones(1),
        "student.conv.bias": torch.ones(1), "myconv.weight": torch.zeros(1),
    }  # fmt: skip
    assert strip_prefix(state, wanted) == {"conv.weight": 1, "conv.bias": 1}
    assert strip_prefix({"other": torch.ones(1)}, wanted) == {"other": 1}


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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"weights=.*nowhere\.pt: no such file"):
        TimmBackbone(NAME, weights=tmp_path / "nowhere.pt").build(load_weights=True)


@pytest.mark.parametrize(
    "address", ["https://x.org/a.safetensors", "s3://bucket/a.pt", "hf-hub:/a"]
)
def test_an_address_is_refused(address):
    with pytest.raises(ValueError, match=r"an address is not loaded; download the file"):
        TimmBackbone(NAME, weights=Path(address)).build(load_weights=True)


@pytest.fixture
def empty_cache(monkeypatch, tmp_path) -> None:
    """Nothing was downloaded before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


class Unreachable:
    """A client without a network; it counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def head(self, url: str, timeout: float) -> None:
        self.asked.append(url)
        raise ConnectionError("Network is unreachable\nfor a page of reasons")


@pytest.mark.usefixtures("empty_cache")
def test_without_a_network_the_hub_is_asked_once_and_one_line_says_what_to_fetch(monkeypatch):
    client = Unreachable()
    monkeypatch.setattr("huggingface_hub.get_session", lambda: client)
    with pytest.raises(OSError, match=FETCH) as caught:
        TimmBackbone(NAME, pretrained=True).build(load_weights=True)
    assert "\n" not in str(caught.value)
    assert len(client.asked) == 1


@pytest.mark.usefixtures("empty_cache")
def test_told_to_stay_offline_the_download_is_an_error_and_not_random_weights(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=FETCH):
        TimmBackbone(NAME, pretrained=True).build(load_weights=True)


def test_a_download_that_fails_half_way_says_the_same(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(backbone, "check_downloadable", lambda name: None)
    monkeypatch.setattr(backbone.timm, "create_model", broken)
    with pytest.raises(OSError, match=FETCH):
        TimmBackbone(NAME, pretrained=True).build(load_weights=True)


def test_weights_that_were_downloaded_before_need_no_network(monkeypatch, tmp_path):
    client = Unreachable()
    monkeypatch.setattr("huggingface_hub.get_session", lambda: client)
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache", lambda *_: str(tmp_path / "model.safetensors")
    )
    check_downloadable(NAME)
    assert client.asked == []


def test_a_model_that_nobody_published_weights_for_is_no_failed_download():
    with pytest.raises(ValueError, match="timm has no pretrained weights for 'test_mambaout'"):
        TimmBackbone("test_mambaout", pretrained=True).build(load_weights=True)
