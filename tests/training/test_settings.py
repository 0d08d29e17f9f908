import pytest
import torch

from cellxai.training.settings import TrainingSettings, check_launch, check_precision, choose_device


def test_tensorboard_is_asked_for_only_where_it_is_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"tensorboard is not installed; pip install tensorboard"):
        TrainingSettings(tensorboard=True)


@pytest.mark.parametrize(
    "wrong", [{"devices": 0}, {"accumulate_batches": 0}, {"checkpoint_every_steps": 0},
              {"gradient_clip": 0.0}, {"batch_size": 5, "devices": 2}]
)  # fmt: skip
def test_settings_that_train_nothing_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=rf"training\.{next(iter(wrong))}="):
        TrainingSettings(**wrong)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.1])
def test_an_average_that_forgets_all_or_nothing_is_refused(decay):
    with pytest.raises(ValueError, match=rf"training\.ema_decay={decay}: expected a share"):
        TrainingSettings(ema_decay=decay)


def test_cuda_is_taken_where_it_is_and_refused_where_it_is_not(monkeypatch):
    for available, chosen in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr("torch.cuda.is_available", lambda available=available: available)
        assert choose_device("auto").type == chosen
        assert choose_device("cpu").type == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="device=cuda, but torch sees no CUDA device here"):
        choose_device("cuda")


def test_half_precision_of_a_small_exponent_is_for_cuda_alone():
    with pytest.raises(ValueError, match="16-mixed needs a CUDA device, got cpu"):
        check_precision("16-mixed", torch.device("cpu"))
    check_precision("16-mixed", torch.device("cuda"))
    check_precision("bf16-mixed", torch.device("cpu"))


def test_as_many_processes_as_were_asked_for_have_to_be_there(monkeypatch):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    check_launch(4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    check_launch(4)
    with pytest.raises(ValueError, match=r"devices=1, but torchrun started 4 processes"):
        check_launch(1)
