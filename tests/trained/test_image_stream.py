import pytest
import torch

from cellxai.data.pixels.transforms import Transforms
from cellxai.data.readers.folder import ImageFolder
from cellxai.trained import image_stream
from cellxai.trained.image_stream import chunk_size, run_batches, stream_outputs

TRANSFORMS = Transforms(image_size=(8, 8), clahe=False)
CPU = torch.device("cpu")


def brightness(images: torch.Tensor) -> torch.Tensor:
    return images.mean((2, 3))[:, :1]


def stream(records, **options):
    return list(stream_outputs(records, TRANSFORMS, brightness, CPU, **options))


@pytest.mark.parametrize("most", [1, 5, 24, 100])
def test_chunks_and_batches_change_nothing(cells, monkeypatch, most):
    records = ImageFolder(cells).scan().records
    (whole,) = stream(records)
    monkeypatch.setattr(image_stream, "MOST_IMAGES", most)
    chunks = stream(records, batch_size=3)
    assert max(len(chunk.records) for chunk in chunks) <= most
    assert [r.id for chunk in chunks for r in chunk.records] == [r.id for r in records]
    torch.testing.assert_close(torch.cat([chunk.outputs for chunk in chunks]), whole.outputs)
    expected = whole.images.float().mean((1, 2, 3)) / 255
    torch.testing.assert_close(whole.outputs[:, 0], expected)


def test_a_broken_file_is_named_in_its_chunk_and_costs_no_other(cells, monkeypatch):
    records = ImageFolder(cells).scan().records
    records[7].path.write_bytes(b"broken")
    monkeypatch.setattr(image_stream, "MOST_IMAGES", 5)
    chunks = stream(records)
    assert [list(chunk.broken) for chunk in chunks] == [[], [records[7].id], [], [], []]
    assert sum(len(chunk.outputs) for chunk in chunks) == 23
    assert records[7].id in str(chunks[1].broken[records[7].id])


def test_a_chunk_has_fewer_large_images_but_one_at_least():
    assert chunk_size(Transforms(image_size=(8, 8))) == image_stream.MOST_IMAGES
    grey, colour = (chunk_size(Transforms(image_size=(1024, 1024), colour=c)) for c in
                    ("grey", "rgb"))  # fmt: skip
    assert grey == 32
    assert colour == grey // 3
    assert chunk_size(Transforms(image_size=(9000, 9000))) == 1


def test_no_image_has_no_row():
    assert len(run_batches(brightness, torch.zeros(0, 1, 8, 8, dtype=torch.uint8), CPU, 4)) == 0
