"""Games of a few players: what every coalition is worth, known by a formula."""

from collections.abc import Callable
from itertools import combinations
from math import factorial

import torch
from torch import Tensor

from cellxai.explain.shapley.coalitions import draw_coalitions
from cellxai.explain.shapley.rounds import Played

Worth = Callable[[Tensor], Tensor]
"""Coalitions [n s] to what each is worth [n]."""


def curved_game(n_players: int, seed: int = 0) -> Worth:
    """Worth with effects of single players, of pairs, and of all orders."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_players, n_players + 9, generator=generator).double()
    alone, pairs, curved = drawn[:, 0], drawn[:, 1 : n_players + 1], drawn[:, n_players + 1 :]

    def worth(masks: Tensor) -> Tensor:
        shown = masks.double()
        of_pairs = (0.3 * shown @ pairs * shown).sum(-1)
        return shown @ alone + of_pairs + 3 * torch.tanh(shown @ curved / 2).sum(-1)

    return worth


def played(worth: Worth, n_players: int, n_rows: int, paired: bool = True, seed: int = 0) -> Played:
    """Coalitions by leverage, all of them asked about."""
    coalitions = draw_coalitions(n_players, n_rows, paired, seed)
    return Played(coalitions, worth(coalitions.masks)[:, None], coalitions.n_rows)


def values_by_subsets(worth: Worth, n_players: int) -> Tensor:
    """Shapley values by a slow loop over all subsets: Shapley (1953)."""
    values = torch.zeros(n_players).double()
    for player in range(n_players):
        others = [p for p in range(n_players) if p != player]
        for size in range(n_players):
            share = factorial(size) * factorial(n_players - size - 1) / factorial(n_players)
            for members in combinations(others, size):
                values[player] += share * rise(worth, n_players, members, (player,))
    return values


def pairs_by_subsets(worth: Worth, n_players: int) -> Tensor:
    """Faith-Shap of pairs by a slow loop: Tsai et al. (2023), the closed form of the top order."""
    values = torch.zeros(n_players, n_players).double()
    for pair in combinations(range(n_players), 2):
        others = [p for p in range(n_players) if p not in pair]
        for size in range(n_players - 1):
            ways = factorial(size + 1) * factorial(n_players - size - 1)
            share = 6 * ways / factorial(n_players + 1)  # (2l−1)! / ((l−1)!)² is 6 for l = 2
            for members in combinations(others, size):
                values[pair] += share * rise(worth, n_players, members, pair)
    return values + values.T


def rise(worth: Worth, n_players: int, members: tuple, joining: tuple) -> Tensor:
    """Discrete derivative: Σ_T⊆joining (−1)^(|joining| − |T|) v(members ∪ T)."""
    total = torch.zeros(()).double()
    for size in range(len(joining) + 1):
        for part in combinations(joining, size):
            mask = torch.zeros(1, n_players, dtype=torch.bool)
            mask[0, [*members, *part]] = True
            total += (-1) ** (len(joining) - size) * worth(mask)[0]
    return total
