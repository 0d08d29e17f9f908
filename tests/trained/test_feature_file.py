import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file

from cellxai.trained.feature_file import FORMAT, ImageEntry, read_features, write_features


def test_files_that_were_written_before_are_still_read():
    assert FORMAT == "cellxai.features 1"


def test_a_file_of_something_else_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected one of `cellxai features`"):
        read_features(tmp_path / "none.safetensors")


@pytest.mark.parametrize("n_read", [1, 2, 5])
def test_whatever_can_be_read_the_header_fits_its_room(tmp_path, n_read):
    rows = [ImageEntry(f'odd "id" {i}', "label é\n", "train") for i in range(5)]
    values = np.arange(5 * 6, dtype=np.float32).reshape(5, 2, 3)
    chunks = [([row.id], values[[i]]) for i, row in enumerate(rows[:n_read])]
    write_features(tmp_path / "x.safetensors", rows, iter(chunks), "layer", "print")
    found = read_features(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(found.values, values[:n_read])
    np.testing.assert_array_equal(load_file(tmp_path / "x.safetensors")["features"], found.values)
    assert found.ids == tuple(row.id for row in rows[:n_read])
    assert found.broken == tuple(row.id for row in rows[n_read:])
    assert found.labels == ("label é\n",) * n_read
    (length,) = struct.unpack("<Q", (tmp_path / "x.safetensors").read_bytes()[:8])
    assert length % 8 == 0
    json.loads((tmp_path / "x.safetensors").read_bytes()[8 : 8 + length])
