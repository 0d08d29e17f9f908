"""Stacks changed at random are pictures of some shape, or are refused in one line with their name.

Where the storage has a checksum (zlib, zipped arrays), damage to pixels is refused. Elsewhere a
changed pixel is another pixel, and nothing tells.
"""

import io
import resource
import time

import numpy as np
import pytest
import tifffile
from mutations import mutate_bytes, refused

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import read_image
from cellxai.data.masks.label_maps import read_mask

RNG = np.random.default_rng(0)
ZC = RNG.integers(0, 65536, (3, 2, 24, 31), dtype=np.uint16)
SMOOTH = np.kron(RNG.integers(0, 256, (2, 2, 2, 3)), np.ones((1, 16, 16, 1))).astype(np.uint8)
MOST_BYTES = 10**9  # beyond what the process had: a stack is a few thousand bytes
LONGEST = 5.0  # seconds of CPU; the slowest of 9000 took 0.04


def tiff(pixels: np.ndarray, axes: str = "ZCYX", **options) -> bytes:
    file = io.BytesIO()
    options = {"photometric": "minisblack", "metadata": {"axes": axes}} | options
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def saved(save, *arrays, **named) -> bytes:
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


COLOURS = {"photometric": "palette", "colormap": RNG.integers(0, 65536, (3, 256), dtype=np.uint16)}
SOUND = {
    "ome.tif": tiff(ZC, ome=True),
    "imagej.tif": tiff(ZC, imagej=True),
    "row.tif": tiff(ZC, imagej=True, truncate=True),
    "json.tif": tiff(ZC),
    "lzw.tif": tiff(ZC, compression="lzw", predictor=True),
    "zlib.tif": tiff(ZC, compression="zlib", predictor=True, rowsperstrip=5),
    "zstd.tif": tiff(ZC, compression="zstd", tile=(16, 16)),
    "packbits.tif": tiff(ZC, compression="packbits"),
    "lzma.tif": tiff(ZC, compression="lzma"),
    "jpeg.tif": tiff(SMOOTH, "ZYXS", compression="jpeg", photometric="rgb", tile=(16, 16)),
    "big.tif": tiff(ZC, bigtiff=True, byteorder=">"),
    "float.tif": tiff(ZC[0].astype(np.float32), "CYX", compression="zlib", predictor=True),
    "planar.tif": tiff(ZC[0].repeat(2, 0), "CYX", photometric="rgb", planarconfig="separate"),
    "palette.tif": tiff((ZC[:, 0] >> 8).astype(np.uint8), "ZYX", **COLOURS),
    "array.npy": saved(np.save, ZC[0, 0]),
    "arrays.npz": saved(np.savez, image=ZC[0, 0]),
    "deflated.npz": saved(np.savez_compressed, image=ZC[0, 0]),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's and zipfile's, of odd headers
@pytest.mark.parametrize("name", SOUND)
def test_a_changed_stack_is_a_picture_or_refused_with_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(SOUND[name])
    assert read_image(path).size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n_refused = 0
    for content in mutate_bytes(SOUND[name], 200):
        path.write_bytes(content)
        for read in (read_image, read_mask):
            start = time.process_time()
            message = refused(lambda read=read: read(path))
            assert time.process_time() - start < LONGEST
            assert message is None or message.startswith(f"{path}: ")
            assert "\n" not in (message or "")
            n_refused += message is not None
    assert n_refused > 200
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < MOST_BYTES


@pytest.mark.parametrize("name", ["zlib.tif", "arrays.npz", "deflated.npz"])
def test_a_flipped_bit_of_checked_pixels_is_refused(tmp_path, name):
    path = tmp_path / name
    middle = len(SOUND[name]) // 2
    for place in range(middle - 20, middle + 20):
        content = bytearray(SOUND[name])
        content[place] ^= 8
        path.write_bytes(content)
        assert refused(lambda: read_image(path, Stack(z="planes"))) is not None
