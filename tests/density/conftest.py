"""Invented images with features, and rounds that are fitted to some."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cellxai.data.records import Record
from cellxai.density.known_images import KnownImages
from cellxai.density.roles import assign_by_fold, fit_rounds
from cellxai.density.rounds import Round, fit_round
from cellxai.density.settings import PipelineSettings
from cellxai.density.views import Logits, Penultimate
from cellxai.trained.image_sets import ImageSet
from cellxai.trained.rows import HeldRows

SETTINGS = PipelineSettings(percent=10.0)
VIEWS = {"all": Penultimate(), "two": Logits()}


@pytest.fixture(scope="session")
def image_set() -> Callable[..., ImageSet]:
    """Makes a set of images with normal features, half of each class, and two views of them."""

    def make(n: int, seed: int = 0, shift: float = 0.0, name: str = "k") -> ImageSet:
        generator = torch.Generator().manual_seed(seed)
        features = torch.randn(n, 5, generator=generator, dtype=torch.float64) + shift
        records = tuple(Record(f"{name}{i}", Path("x"), "ab"[i % 2]) for i in range(n))
        pictures = torch.zeros(n, 1, 2, 2, dtype=torch.uint8)
        rows = {"all": features.float(), "two": features[:, :2].float()}
        return ImageSet(records, pictures, features, None, (), HeldRows(rows))

    return make


@pytest.fixture(scope="session")
def fitted_rounds(image_set) -> Callable[[int, int], tuple[KnownImages, list[Round]]]:
    """Makes known images, and the rounds of their folds."""

    def make(n: int, n_folds: int) -> tuple[KnownImages, list[Round]]:
        known = KnownImages({"train": image_set(n)}, ("a", "b"))
        assignment = assign_by_fold(torch.arange(n) % n_folds, [True] * n)
        rounds, _ = fit_rounds(
            assignment, lambda roles: fit_round(known, roles, VIEWS, SETTINGS, {}, 0)
        )
        return known, rounds

    return make
