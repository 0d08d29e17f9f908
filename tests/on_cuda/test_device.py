"""The pretended device itself: what it has to refuse, to compute and to count."""

import copy
import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pretended_cuda import counted
from torch import Tensor, nn

CPU = torch.arange(6.0).reshape(2, 3)

REFUSED: dict[str, Callable[[Tensor], object]] = {
    "a sum with a CPU tensor": lambda there: CPU + there,
    "joining with a CPU tensor": lambda there: torch.cat([CPU, there]),
    "NumPy": lambda there: there.numpy(),
    "an array": lambda there: np.asarray(there),
    "an index into a CPU tensor": lambda there: CPU[there[0].long()],
    "a CPU generator": lambda _: torch.rand(3, device="cuda", generator=torch.Generator()),
    "a product of whole numbers": lambda there: there.long() @ there.long().T,
    "gathering by a CPU index": lambda there: there.gather(1, torch.zeros(2, 1).long()),
    "weights on the CPU": lambda there: nn.Linear(3, 2)(there),
    "a CPU mask": lambda there: torch.where(CPU > 1, there, 0.0),
    "CPU values by a mask": lambda there: there.clone().__setitem__(there > 1, torch.ones(4)),
    "another device": lambda there: there + there.to("cuda:1"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cuda_refuses_is_refused(name: str) -> None:
    with pytest.raises((RuntimeError, TypeError, NotImplementedError)):
        REFUSED[name](CPU.to("cuda"))


def test_what_cuda_takes_of_the_cpu_is_taken() -> None:
    there = CPU.to("cuda")
    assert torch.equal((there + torch.tensor(1.0)).cpu(), CPU + 1)
    assert torch.equal(there[torch.tensor([1])].cpu(), CPU[[1]])
    assert (torch.as_tensor(np.ones(3), device="cuda") + 1).tolist() == [2, 2, 2]
    assert (torch.eye(3, device=there.device) + there.new_ones(3)).sum().item() == 12


def test_views_and_writing_in_place_reach_the_same_memory() -> None:
    x = torch.zeros(2, 3, device="cuda")
    row = x[0]
    row += 1
    x.select(0, 1).fill_(2)
    assert x.tolist() == [[1, 1, 1], [2, 2, 2]]


def test_training_takes_the_steps_of_the_cpu() -> None:
    torch.manual_seed(0)
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    here = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *pooled)
    there = copy.deepcopy(here).to("cuda")
    x, y = torch.rand(8, 3, 8, 8), torch.randint(2, (8,))
    torch.backends.cudnn.allow_tf32 = False
    for network, device in ((here, "cpu"), (there, "cuda")):
        optimiser = torch.optim.AdamW(network.parameters())
        for _ in range(3):
            optimiser.zero_grad()
            F.cross_entropy(network(x.to(device)), y.to(device)).backward()
            optimiser.step()
    torch.backends.cudnn.allow_tf32 = True
    saved = io.BytesIO()
    torch.save(there.state_dict(), saved)
    saved.seek(0)
    for name, values in torch.load(saved, weights_only=True).items():
        assert type(values) is Tensor
        torch.testing.assert_close(values, here.state_dict()[name])


def test_convolutions_lose_digits_where_tf32_is_allowed() -> None:
    x, weight = torch.rand(1, 3, 8, 8), torch.rand(2, 3, 3, 3)
    exact, there = F.conv2d(x, weight), F.conv2d(x.cuda(), weight.cuda()).cpu()
    assert 1e-6 < (there - exact).abs().max() < 1e-1
    torch.backends.cudnn.allow_tf32 = False
    assert torch.equal(F.conv2d(x.cuda(), weight.cuda()).cpu(), exact)
    torch.backends.cudnn.allow_tf32 = True


def test_launches_waits_and_copies_are_counted() -> None:
    x = torch.ones(4, 4).to("cuda")
    with counted() as counts:
        (x @ x).sum().item()
        x[x > 1]
        CPU.to("cuda")
        x.cpu()
    assert counts.launches == {"mm": 1, "sum": 1, "gt": 1, "index": 1}
    assert counts.n_syncs == 3
    assert counts.to_device.total() == 24
    assert counts.to_host.total() == 64
    assert counts.bytes["mm"] == 3 * 64


def test_what_cannot_be_repeated_is_refused_where_that_was_asked_for() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="cumsum does not have a deterministic"):
            torch.ones(3, device="cuda").cumsum(0)
    finally:
        torch.use_deterministic_algorithms(False)
