"""Folders of OME-Zarr and files of microscopes changed at random: a picture, or one line."""

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mutations import mutate_bytes, refused

from cellxai.data.image_formats import read_image
from cellxai.data.masks.label_maps import read_mask
from tests.support.lab_files import write_zarr

RNG = np.random.default_rng(0)
CYX = RNG.integers(0, 4000, (3, 24, 31), dtype="<u2")
PICTURE = CYX.transpose(1, 2, 0)
AXES = [{"name": name} for name in "cyx"]
LONGEST = 5.0  # seconds of CPU
N_CHANGES = 200


def write_zarr_3(root: Path) -> None:
    """Version 0.5, each plane a chunk as it is in memory."""
    for place in range(3):
        path = root / "0" / "c" / str(place) / "0" / "0"
        path.parent.mkdir(parents=True)
        path.write_bytes(CYX[place].tobytes())
    grid = {"name": "regular", "configuration": {"chunk_shape": [1, 24, 31]}}
    described = {
        "zarr_format": 3, "node_type": "array", "shape": CYX.shape, "data_type": "uint16",
        "chunk_grid": grid, "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }  # fmt: skip
    (root / "0" / "zarr.json").write_text(json.dumps(described))
    images = [{"axes": AXES, "datasets": [{"path": "0"}]}]
    group = {"node_type": "group", "attributes": {"ome": {"multiscales": images}}}
    (root / "zarr.json").write_text(json.dumps(group))


def write_czi(path: Path) -> None:
    """As Zeiss's own library writes it."""
    pytest.importorskip("czifile")
    czi = pytest.importorskip("pylibCZIrw.czi", reason="pylibCZIrw, which writes CZI, is absent")
    with czi.create_czi(str(path)) as document:
        for channel, pixels in enumerate(CYX):
            document.write(data=pixels[..., None], plane={"C": channel, "T": 0, "Z": 0})


WRITERS = {"a.zarr": partial(write_zarr, cyx=CYX), "b.zarr": write_zarr_3, "c.czi": write_czi}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_a_changed_container_is_a_picture_or_refused_with_its_name(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    np.testing.assert_array_equal(read_image(path), PICTURE)
    files = sorted(file for file in path.rglob("*") if file.is_file()) or [path]
    n_changed = 0
    for file in files:
        sound = file.read_bytes()
        for content in mutate_bytes(sound, -(-N_CHANGES // len(files))):
            file.write_bytes(content)
            for read in (read_image, read_mask):
                start = time.process_time()
                message = refused(lambda read=read: read(path))
                assert time.process_time() - start < LONGEST
                assert message is None or message.startswith(f"{path}: ")
                assert "\n" not in (message or "")
                if file.name.isdigit() and name == "a.zarr" and read is read_image and not message:
                    np.testing.assert_array_equal(read_image(path), PICTURE)  # zlib has a checksum
            n_changed += 1
        file.write_bytes(sound)
    assert n_changed >= N_CHANGES
