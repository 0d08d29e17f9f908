import pytest
import torch

from cellxai.explain.batches import best_batch_size


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
