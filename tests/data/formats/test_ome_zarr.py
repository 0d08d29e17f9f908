"""OME-Zarr written by its specification, and by the library where it is installed."""

import gzip
import itertools
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from cellxai.data.formats.stack import Stack
from cellxai.data.image_formats import ImageFault, read_image
from cellxai.data.readers.folder import ImageFolder
from cellxai.verbs.check import check

RNG = np.random.default_rng(0)
TCZ = RNG.integers(0, 4000, (2, 2, 3, 37, 50), dtype=np.uint16)
PICTURE = TCZ[1].max(1).transpose(1, 2, 0)
CHUNKS = (1, 2, 1, 16, 20)
COMPRESSORS = {None: bytes, "zlib": zlib.compress, "gzip": gzip.compress}


def write_chunks(folder: Path, array: np.ndarray, prefix: str, separator: str, codec) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ranges = [range(-(-n // size)) for n, size in zip(array.shape, CHUNKS, strict=True)]
    for place in itertools.product(*ranges):
        chunk = np.zeros(CHUNKS, array.dtype)
        part = array[tuple(slice(n * s, n * s + s) for n, s in zip(place, CHUNKS, strict=True))]
        chunk[tuple(map(slice, part.shape))] = part
        path = folder / (prefix + separator.join(map(str, place)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(COMPRESSORS[codec](chunk.tobytes()))


AXES = [{"name": name} for name in "tczyx"]


def write_04(root: Path, codec=None, array=TCZ, path="0", inner="0", **said) -> Path:
    array_folder = root / inner
    write_chunks(array_folder, array, "", "/", codec)
    compressor = None if codec is None else {"id": codec}
    description = {
        "zarr_format": 2, "shape": array.shape, "chunks": CHUNKS, "dtype": array.dtype.str,
        "compressor": compressor, "filters": None, "order": "C", "fill_value": 0,
        "dimension_separator": "/", **said,
    }  # fmt: skip
    (array_folder / ".zarray").write_text(json.dumps(description))
    images = [{"axes": AXES, "datasets": [{"path": path}], "version": "0.4"}]
    (root / ".zattrs").write_text(json.dumps({"multiscales": images}))
    return root


def write_05(root: Path, codec=None) -> Path:
    write_chunks(root / "0", TCZ.astype(">u2"), "c/", "/", codec)
    codecs = [{"name": "bytes", "configuration": {"endian": "big"}}]
    grid = {"name": "regular", "configuration": {"chunk_shape": CHUNKS}}
    description = {
        "zarr_format": 3, "node_type": "array", "shape": TCZ.shape, "data_type": "uint16",
        "chunk_grid": grid, "codecs": codecs + ([{"name": codec}] if codec else []),
        "chunk_key_encoding": {"name": "default"}, "fill_value": 0,
    }  # fmt: skip
    (root / "0" / "zarr.json").write_text(json.dumps(description))
    images = [{"axes": AXES, "datasets": [{"path": "0"}]}]
    group = {"node_type": "group", "attributes": {"ome": {"multiscales": images}}}
    (root / "zarr.json").write_text(json.dumps(group))
    return root


def fault_of(path: Path, stack: Stack = Stack(time=1)) -> str:
    with pytest.raises(ImageFault) as fault:
        read_image(path, stack)
    assert str(fault.value).startswith(f"{path}: ")
    assert "\n" not in str(fault.value)
    return str(fault.value)


@pytest.mark.parametrize("codec", COMPRESSORS)
def test_both_versions_are_read_plane_by_plane(tmp_path, codec):
    old = write_04(tmp_path / "old.zarr", codec)
    np.testing.assert_array_equal(read_image(old, Stack(time=1)), PICTURE)
    assert "2 time points" in fault_of(old, Stack())
    if codec != "zlib":
        new = write_05(tmp_path / "new.zarr", codec)
        np.testing.assert_array_equal(read_image(new, Stack(time=1)), PICTURE)


def test_a_chunk_that_is_not_there_is_filled_and_a_cut_one_refused(tmp_path):
    root = write_04(tmp_path / "a.zarr", fill_value=7)
    (root / "0/1/0/0/0/0").unlink()
    expected = TCZ[1].copy()
    expected[:, 0, :16, :20] = 7
    np.testing.assert_array_equal(
        read_image(root, Stack(time=1, z=0)), expected[:, 0].transpose(1, 2, 0)
    )
    (root / "0/1/0/0/0/0").write_bytes(b"short")
    assert "corrupt" in fault_of(root)


def test_nothing_outside_the_folder_is_opened_and_nothing_is_unpickled(tmp_path):
    root = write_04(tmp_path / "a.zarr", path="../b", inner="../b")
    assert "outside its folder" in fault_of(root)
    assert "expected numbers" in fault_of(write_04(tmp_path / "c.zarr", dtype="|O"))
    pickled = write_04(tmp_path / "d.zarr", filters=[{"id": "pickle"}])
    assert "with filters" in fault_of(pickled)
    assert "pickle is not read" in fault_of(
        write_04(tmp_path / "e.zarr", compressor={"id": "pickle"})
    )


@pytest.mark.parametrize(
    "said",
    [{"shape": [10**9] * 5}, {"chunks": [10**6] * 5}, {"shape": [2, 2]}, {"shape": None},
     {"dtype": "<i2"}, {"dtype": "<u4"}, {"chunks": [0] * 5}, {"shape": [2, 2, 3, 9, "x"]}],
)  # fmt: skip
def test_descriptions_that_lie_are_refused_before_memory_is_taken(tmp_path, said):
    fault_of(write_04(tmp_path / "a.zarr", **said))


@pytest.mark.parametrize("text", ["", "[" * 99_999, "7", '{"multiscales": 3}', "{}"])
def test_what_is_no_description_is_refused(tmp_path, text):
    root = write_04(tmp_path / "a.zarr")
    (root / ".zattrs").write_text(text)
    fault_of(root)


def test_a_folder_of_zarr_is_one_image_to_readers(tmp_path):
    for label in "ab":
        for i in range(2):
            pixels = RNG.integers(0, 4000, (1, 1, 3, 37, 50), dtype=np.uint16)
            write_04(tmp_path / label / f"{i}.zarr", array=pixels)
    report = check(ImageFolder(tmp_path))
    assert (report.faults, report.n_images) == ((), 4)


def test_what_the_library_writes_is_read(tmp_path):
    zarr = pytest.importorskip("zarr")
    array = zarr.create_array(
        store=str(tmp_path / "a.zarr"), shape=TCZ.shape, chunks=CHUNKS, dtype="uint16"
    )
    array[:] = TCZ
    picture = read_image(tmp_path / "a.zarr", Stack(axes="TCZYX", time=1))
    np.testing.assert_array_equal(picture, PICTURE)
