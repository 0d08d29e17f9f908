import numpy as np
import pytest

from cellxai.explain.lime.hadamard import hadamard, is_constructible, smallest_order


@pytest.mark.parametrize("order", [o for o in range(1, 209) if is_constructible(o)])
def test_columns_are_orthogonal_and_the_first_is_one(order):
    matrix = hadamard(order)
    assert np.array_equal(matrix.T @ matrix, order * np.eye(order))
    assert set(np.unique(matrix)) <= {-1, 1}
    assert (matrix[:, 0] == 1).all()


def test_the_smallest_order_is_found_between_the_powers_of_two():
    # Orders up to 88 that are multiples of four, but for 52 (51 and 25 are no primes).
    assert [smallest_order(n) for n in (1, 2, 3, 9, 33, 45, 49, 52, 53)] == [
        1, 2, 4, 12, 36, 48, 56, 56, 56,
    ]  # fmt: skip
    assert all(smallest_order(n) < 1.25 * n + 4 for n in range(1, 1000))


def test_an_order_that_is_not_known_names_the_next():
    with pytest.raises(ValueError, match=r"order=50: .* pass order=56"):
        hadamard(50)
