import json

import pytest
import torch

from cellxai.explain import batch_size
from cellxai.explain.batch_size import best_batch_size, circumstances, remembered_batch_size


class Device:
    """A device on a clock of its own: each pass costs a start and so much per image."""

    def __init__(self, start: float, per_image: float, room: int = 10_000) -> None:
        self.start, self.per_image, self.room, self.now = start, per_image, room, 0.0

    def model(self, images):
        if len(images) > self.room:
            raise torch.OutOfMemoryError("no room")
        self.now += self.start + self.per_image * len(images)
        return images.mean((2, 3))

    def clock(self, device):
        return self.now


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device(0.0, 1.0), 1),  # nothing to gain
        (Device(1.0, 1.0), 32),  # 64 would gain 1.5 %
        (Device(1000.0, 1.0), 64),  # the largest allowed
        (Device(1.0, 1.0, room=9), 8),  # memory
    ],
)
def test_the_smallest_batch_that_is_about_the_fastest_is_found(device, expected):
    image = torch.zeros(1, 3, 4, 4)
    assert best_batch_size(device.model, image, 64, device.clock) == expected


def test_a_real_model_gets_a_size_within_the_limit(net, images):
    assert best_batch_size(net, images[:1], most=4) in (1, 2, 4)


def test_errors_that_are_not_of_memory_are_raised(images):
    def broken(batch):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        best_batch_size(broken, images[:1])


@pytest.fixture
def tried(monkeypatch) -> list[int]:
    """Sizes that trying will find, one after the other; at the end, how often it was tried."""
    answers = [4, 8, 16]
    monkeypatch.setattr(batch_size, "best_batch_size", lambda *_: answers.pop(0))
    return answers


def test_a_size_is_tried_once_and_then_remembered(net, images, tried, tmp_path):
    path = tmp_path / "explain" / "batch_size.json"
    assert [remembered_batch_size(path, net, images[:1]) for _ in range(3)] == [4, 4, 4]
    assert len(tried) == 2
    assert list(json.loads(path.read_text())) == [circumstances(net, images[:1])]


def test_another_size_of_image_or_network_is_tried_anew_and_the_former_kept(
    net, relu_net, images, tried, tmp_path
):
    path = tmp_path / "batch_size.json"
    small = images[:1, :, :8, :8]
    asked = [(net, images[:1]), (net, small), (relu_net, images[:1]), (net, images[:1])]
    assert [remembered_batch_size(path, *arguments) for arguments in asked] == [4, 8, 16, 4]


def test_a_network_of_other_weights_is_the_same_one(net, images):
    before = circumstances(net, images[:1])
    for parameter in net.parameters():
        parameter.data.mul_(2)
    assert circumstances(net, images[:1]) == before


@pytest.mark.parametrize("damaged", ["", "[1]", '{"x": null}', '{"x": 0}', "nonsense"])
def test_a_damaged_memory_is_made_again(damaged, net, images, tried, tmp_path):
    path = tmp_path / "batch_size.json"
    path.write_text(damaged)
    assert remembered_batch_size(path, net, images[:1]) == 4
    assert remembered_batch_size(path, net, images[:1]) == 4
