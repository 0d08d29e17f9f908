"""Hadamard matrices: ±1 with orthogonal columns, by Sylvester's and Paley's constructions."""

from functools import cache

import numpy as np
from jaxtyping import Int


def smallest_order(at_least: int) -> int:
    """The smallest constructible order from ``at_least`` on; at most the next power of two."""
    order = at_least
    while not is_constructible(order):
        order += 1
    return order


@cache
def is_constructible(order: int) -> bool:
    """Whether :func:`hadamard` can make a matrix of that order."""
    return (
        order in (1, 2)
        or _is_paley_1(order)
        or _is_paley_2(order)
        or (order % 2 == 0 and is_constructible(order // 2))
    )


def hadamard(order: int) -> Int[np.ndarray, "m m"]:
    """A matrix H of ±1 with HᵀH = order × identity, and a first column of ones.

    Sylvester (1867) doubles any; Paley (1933) gives order q+1 for primes q = 3 mod 4, and 2(q+1)
    for primes q = 1 mod 4.

    Raises:
        ValueError: If none of the constructions gives that order.
    """
    if not is_constructible(order):
        larger = smallest_order(order)
        raise ValueError(
            f"order={order}: no construction here gives a Hadamard matrix; pass order={larger}"
        )
    if order == 1:
        matrix = np.ones((1, 1), dtype=np.int64)
    elif _is_paley_1(order):
        matrix = np.eye(order, dtype=np.int64) + _bordered_residues(order - 1, -1)
    elif _is_paley_2(order):
        symmetric = _bordered_residues(order // 2 - 1, 1)
        unit = np.eye(order // 2, dtype=np.int64)
        matrix = np.kron(symmetric, [[1, 1], [1, -1]]) + np.kron(unit, [[1, -1], [-1, -1]])
    else:
        matrix = np.kron([[1, 1], [1, -1]], hadamard(order // 2))
    return matrix * matrix[:, :1]


def _is_paley_1(order: int) -> bool:
    return order % 4 == 0 and _is_prime(order - 1)


def _is_paley_2(order: int) -> bool:
    return order % 4 == 0 and order // 2 % 4 == 2 and _is_prime(order // 2 - 1)


def _bordered_residues(q: int, corner: int) -> Int[np.ndarray, "m m"]:
    """Jacobsthal's matrix of quadratic residues modulo q, in a border of ones with a zero corner.

    ``corner`` is the sign of the first column: +1 makes it symmetric, −1 skew.
    """
    residues = {x * x % q for x in range(1, q)}
    character = np.array([0] + [1 if x in residues else -1 for x in range(1, q)])
    matrix = np.zeros((q + 1, q + 1), dtype=np.int64)
    matrix[0, 1:], matrix[1:, 0] = 1, corner
    matrix[1:, 1:] = character[np.subtract.outer(np.arange(q), np.arange(q)) % q]
    return matrix


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % divisor for divisor in range(2, int(n**0.5) + 1))
