"""``features``: what a layer of a trained classifier makes of images, kept on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellxai.classifier.layer_names import PENULTIMATE
from cellxai.data.loading.cache import cache_key
from cellxai.data.records import Fault, Record, Source
from cellxai.files.config import as_config
from cellxai.files.identity import hash_json, hash_tensors
from cellxai.files.returned import Returned
from cellxai.trained.feature_file import ImageEntry, read_features, write_features
from cellxai.trained.image_stream import Chunk, stream_outputs
from cellxai.trained.layers import LayerFeatures
from cellxai.trained.run import TrainedRun, load_run
from cellxai.training.settings import Device

KEY_LENGTH = 8  # letters that tell data sets apart in the names of files


@dataclass(frozen=True)
class FeatureFile(Returned):
    """What ``features`` wrote, or what was there already.

    Args:
        path: The file; ``cellxai.trained.feature_file.read_features`` reads it.
        shape: Images, then the shape of the features of one.
        layer: The layer whose output they are.
        broken: What could not be read and was left out.
        reused: Whether the file was there already, of the same network, layer and images.
    """

    path: Path
    shape: tuple[int, ...]
    layer: str
    broken: tuple[str, ...]
    reused: bool

    def __str__(self) -> str:
        size = "×".join(map(str, self.shape[1:]))
        made = ", as computed before" if self.reused else ""
        head = f"{self.path}: {self.shape[0]} images, {size} features of {self.layer}{made}"
        return "\n".join([head, *(f"left out: {fault}" for fault in self.broken)])


def features(
    run: Path,
    data: Source | None = None,
    layer: str = PENULTIMATE,
    pooled: bool = True,
    out: Path | None = None,
    batch_size: int = 32,
    device: Device = "auto",
) -> FeatureFile:
    """Computes the features of any images in a layer of a trained classifier.

    One float32 tensor ``features`` with a row per image, ids, labels and splits in the metadata.
    Images are decoded and computed chunk by chunk, so memory does not grow with their number. A
    second call with the same network, layer and images reads what the first one wrote.

    Args:
        run: The run folder of `cellxai fit`.
        data: Other images, prepared as the run's own; null for the run's own.
        layer: ``penultimate``, what enters the layer that gives the logits; or the dotted name of
            any layer of the network, such as ``backbone.blocks.2``.
        pooled: Whether to average over places; without, [n c h w] of a convolution is kept.
        out: The file; null for one in the run folder, named for layer and data.
        batch_size: Images per forward pass at most.
        device: Where to compute; "auto" takes a CUDA device when there is one.

    Raises:
        ValueError: If there is no such layer, or no image can be read.
    """
    trained = load_run(run, device)
    network = LayerFeatures(trained.classifier, layer, pooled)
    records, splits, scan_faults = choose_images(trained, data)
    path = out or trained.folder.features / file_name(data, layer, pooled)
    expected = [
        ImageEntry(record.id, record.label, splits.get(record.id, "")) for record in records
    ]
    fingerprint = hash_inputs(trained, records, expected, layer, pooled)
    if holds_features(path, fingerprint):
        return read_result(path, reused=True, faults=scan_faults)
    faults: list[Fault] = [*scan_faults]
    chunks = stream_outputs(records, trained.transforms, network, trained.device, batch_size)
    write_features(path, expected, rows_of(chunks, faults), layer, fingerprint)
    return read_result(path, reused=False, faults=faults)


def choose_images(
    trained: TrainedRun, data: Source | None
) -> tuple[Sequence[Record], dict[str, str], tuple[Fault, ...]]:
    """The images, the split of each that has one, and what is wrong with the data set."""
    if data is not None:
        scan = data.scan()
        return scan.records, {}, scan.faults
    parts = trained.images.parts
    kept = [record for record in trained.images.all_records if record.id in parts]
    return kept, parts, ()


def rows_of(chunks: Iterator[Chunk], faults: list[Fault]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Ids and features of each chunk; what could not be read goes into ``faults``."""
    for chunk in chunks:
        faults.extend(chunk.broken.values())
        if chunk.records:
            yield [record.id for record in chunk.records], chunk.outputs.float().numpy()


def file_name(data: Source | None, layer: str, pooled: bool) -> str:
    """``penultimate.safetensors``; other layers, places and other data show in the name."""
    words = [layer] if pooled else [layer, "spatial"]
    if data is not None:
        key = hash_json(as_config(data))[:KEY_LENGTH]
        words += [type(data).__name__, key]
    return "-".join(words) + ".safetensors"


def hash_inputs(
    trained: TrainedRun,
    records: Sequence[Record],
    expected: Sequence[ImageEntry],
    layer: str,
    pooled: bool,
) -> str:
    """A hash of the weights, the layer, the pixels, and what is known of the images."""
    inputs = {
        "pixels": cache_key(records, trained.transforms),
        "rows": [[entry.id, entry.label, entry.split] for entry in expected],
        "layer": [layer, pooled],
        "weights": hash_tensors(trained.classifier.state_dict()),
    }
    return hash_json(inputs)


def holds_features(path: Path, fingerprint: str) -> bool:
    """Whether a file holds just these features.

    Raises:
        ValueError: If the file is something else, which is not written over.
    """
    if not path.exists():
        return False
    try:
        return read_features(path).fingerprint == fingerprint
    except ValueError as error:
        raise ValueError(f"out={error}, or name another file as out") from error


def read_result(path: Path, reused: bool, faults: Sequence[Fault]) -> FeatureFile:
    """What lies in a file."""
    content, broken = read_features(path), tuple(map(str, faults))
    if reused:
        broken += tuple(
            f"image {image_id}: broken when the features were computed"
            for image_id in content.broken
        )
    return FeatureFile(path, content.values.shape, content.layer, broken, reused)
