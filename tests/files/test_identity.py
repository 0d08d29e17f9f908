import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.hiding.occlusion import Occlusion
from cellxai.files import folder
from cellxai.files.identity import (
    describe_file,
    describe_settings,
    describe_with_code,
    hash_content,
    hash_file,
    hash_json,
    hash_path,
    hash_source,
    hash_tensors,
    shorten,
)


class Wrapped:
    def __init__(self, inner, times=2):
        self.inner = inner
        self.times = times
        self.cache = object()


class Forgetful:
    def __init__(self, width):
        self.w = width


def test_a_description_holds_class_and_settings_and_nothing_that_changes():
    text = describe_settings(GradCam("x"))
    assert text == "cellxai.explain.backward.gradcam.GradCam(layer='x')"
    nested = describe_settings(Wrapped(Occlusion(4, 2)))
    occlusion = "cellxai.explain.hiding.occlusion.Occlusion(window_px=4, stride_px=2)"
    assert nested.endswith(f"Wrapped(inner={occlusion}, times=2)")
    assert nested == describe_settings(Wrapped(Occlusion(4, 2)))


def test_a_class_that_keeps_its_settings_for_itself_is_refused():
    with pytest.raises(ValueError, match=r"Forgetful keeps no attribute 'width'.* self.width"):
        describe_settings(Forgetful(3))


def test_a_class_of_ones_own_is_described_with_the_file_that_it_is_written_in():
    ours, own = GradCam("x"), Wrapped(1)
    assert describe_with_code(ours) == describe_settings(ours)
    assert describe_with_code(own) == (f"{describe_settings(own)} {shorten(hash_source(Wrapped))}")


def test_hashes_of_tensors_follow_names_types_shapes_and_contents():
    zeros = torch.zeros(4)
    different = [
        {"a": zeros}, {"b": zeros}, {"a": zeros.view(2, 2)}, {"a": zeros + 1},
        {"a": zeros.int()}, {"a": zeros, "b": zeros}, {}, {"a": torch.tensor(0.0)},
    ]  # fmt: skip
    assert len({hash_tensors(tensors) for tensors in different}) == len(different)


def test_hashes_of_tensors_do_not_follow_order_layout_or_gradients():
    first, second = torch.rand(2, 3), torch.rand(3, 2)
    expected = hash_tensors({"a": first, "b": second})
    assert hash_tensors({"b": second.clone().requires_grad_(), "a": first}) == expected
    assert hash_tensors({"a": first.T.contiguous().T, "b": second}) == expected


def test_every_hash_is_the_sha256_of_what_it_is_of(tmp_path):
    path = tmp_path / "é.txt"
    path.write_bytes(b"cells")
    expected = hashlib.sha256(b"cells").hexdigest()
    assert hash_file(path) == hash_content("cells") == hash_content(b"ce", "lls") == expected
    value = {"b": [1, None], "a": "é"}
    assert hash_json(value) == hash_content(json.dumps({"a": "é", "b": [1, None]}))
    assert hash_path(path) == hash_content(path.as_posix())[:8]
    assert shorten(expected) == f"sha256:{expected[:16]}"


def test_the_source_of_a_class_or_module_is_its_file_and_of_a_builtin_nothing():
    assert hash_source(folder) == hash_file(Path(folder.__file__))
    assert hash_source(folder.RunFolder) == hash_source(folder)
    assert hash_source(dict) == hash_source(sys) == ""


def test_a_network_that_learned_has_another_hash():
    model = nn.Linear(2, 2)
    before = hash_tensors(model.state_dict())
    nn.init.zeros_(model.weight)
    assert hash_tensors(model.state_dict()) != before


def test_nothing_of_torch_is_imported():
    program = "import sys, cellxai.files.identity; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_image_in_a_folder_is_another_one_when_a_file_in_it_changes(tmp_path):
    image, other = tmp_path / "a.zarr", tmp_path / "b.zarr"
    for folder_ in (image, other):
        (folder_ / "0" / "1").mkdir(parents=True)
        (folder_ / "0" / "1" / "2").write_bytes(b"chunk")
    chunk = image / "0" / "1" / "2"
    assert hash_file(image) == hash_file(other)
    contents, described = hash_file(image), describe_file(image)
    chunk.write_bytes(b"piece")
    os.utime(chunk, ns=(1, chunk.stat().st_mtime_ns + 1))
    assert hash_file(image) != contents
    assert describe_file(image) != described
    assert describe_file(tmp_path / "none.zarr")[1:] == (None, None)
