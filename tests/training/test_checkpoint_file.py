import pickle

import pytest
import torch
from flipped_bits import flip_bits

from cellxai.files.digest import stop_vouching
from cellxai.training.checkpoint_file import read_checkpoint, write_checkpoint
from cellxai.training.checkpoints import AtomicCheckpoints

WEIGHTS = {"state_dict": {"w": torch.arange(30.0)}, "epoch": 3}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(WEIGHTS, tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


def message_of(path):
    """What is wrong with a file; empty where it is read."""
    try:
        read_checkpoint(path)
    except ValueError as error:
        return str(error)
    return ""


def test_what_was_written_comes_back(path):
    assert torch.equal(read_checkpoint(path)["state_dict"]["w"], WEIGHTS["state_dict"]["w"])
    assert AtomicCheckpoints().load_checkpoint(path)["epoch"] == 3


def test_any_flipped_bit_is_found(path):
    for _ in flip_bits(path):
        with pytest.raises(ValueError, match=r"best\.ckpt: does not have the SHA-256"):
            read_checkpoint(path)
        with pytest.raises(ValueError, match=r"best\.ckpt: does not have the SHA-256"):
            AtomicCheckpoints().load_checkpoint(path)


def test_without_a_digest_a_damaged_file_is_read_or_named_and_nothing_else(path):
    stop_vouching(path)
    for _ in flip_bits(path):
        message = message_of(path)
        assert message == "" or message.startswith(f"{path}: ")
        assert "\n" not in message


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_named_in_one_line(path, share):
    stop_vouching(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"best\.ckpt: no checkpoint that can be read") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_other_content_is_named(path, tmp_path):
    for content in (b"text", pickle.dumps({"a": 1}), pickle.dumps(print), bytes(100)):
        (tmp_path / "odd.ckpt").write_bytes(content)
        with pytest.raises(ValueError, match=r"odd\.ckpt: "):
            read_checkpoint(tmp_path / "odd.ckpt")
    torch.save([1], tmp_path / "odd.ckpt")
    with pytest.raises(ValueError, match="holds a list, expected a checkpoint"):
        read_checkpoint(tmp_path / "odd.ckpt")
