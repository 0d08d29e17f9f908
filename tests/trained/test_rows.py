import pytest
import torch

from cellxai.trained.rows import HeldRows, JoinedRows, SomeRows, as_source


def source(n: int, start: int = 0) -> HeldRows:
    return HeldRows({"a": torch.arange(start, start + n).float()[:, None]})


def numbers(rows) -> list[int]:
    return rows["a"][:, 0].int().tolist()


def test_sources_joined_and_chosen_from_keep_the_order_that_is_asked_for():
    joined = JoinedRows([source(3), source(0), source(4, 3), HeldRows({})])
    assert len(joined) == 7
    assert numbers(joined.of(torch.tensor([6, 0, 3, 2, 3]))) == [6, 0, 3, 2, 3]
    some = SomeRows(joined, torch.tensor([5, 1, 4]))
    assert len(some) == 3
    assert numbers(some.of(torch.tensor([2, 0]))) == [4, 5]
    assert numbers(SomeRows(some, torch.tensor([1])).of(torch.tensor([0]))) == [1]
    assert len(JoinedRows([])) == 0


def test_rows_in_memory_are_a_source_and_a_source_stays_one():
    rows = source(2)
    assert as_source(rows) is rows
    held = as_source({"a": torch.ones(4, 2), "b": torch.ones(4, 3, 3, 2, dtype=torch.float16)})
    assert (len(held), held.n_bytes) == (4, 4 * 2 * 4 + 4 * 18 * 2)


@pytest.mark.parametrize("made", [lambda r: r, lambda r: SomeRows(r, torch.arange(3))])
def test_rows_that_are_asked_for_keep_their_gradient(made):
    x = torch.ones(3, 2, requires_grad=True)
    made(HeldRows({"a": x})).of(torch.tensor([1, 1]))["a"].sum().backward()
    assert x.grad.tolist() == [[0, 0], [2, 2], [0, 0]]
