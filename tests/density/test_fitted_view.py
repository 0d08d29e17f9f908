import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cellxai.density.densities import Density, FittedDensity, Mixture, ReconstructionError
from cellxai.density.densities.base import State
from cellxai.density.fitted_view import FittedView, KnownRows, fit_views, measure_by
from cellxai.density.views import Penultimate, Places, View
from cellxai.trained.rows import HeldRows, RowSource


class Remembered(FittedDensity):
    """Says 1 of a row that it was fitted to, and 2 of any other."""

    def __init__(self, rows: Tensor) -> None:
        self.seen = {tuple(row) for row in rows.tolist()}

    def surprise(self, rows: Float[Tensor, "n f"]) -> Float[Tensor, " n"]:
        known = [tuple(row) in self.seen for row in rows.tolist()]
        return torch.tensor([1.0 if seen else 2.0 for seen in known], dtype=torch.float64)

    def state(self) -> State:
        return {}


class Memory(Density):
    """A density that knows its rows by heart."""

    def fit(
        self, rows: Float[Tensor, "n f"], labels: Int[Tensor, " n"] | None, seed: int
    ) -> FittedDensity:
        return Remembered(rows)

    def restore(self, state: State) -> FittedDensity:
        raise NotImplementedError

    def like(self, fitted: FittedDensity, n_rows: int) -> Density:
        return self


def known(rows: Tensor, trained: Tensor | None = None, n_folds: int = 3) -> KnownRows:
    n = len(rows)
    return KnownRows(
        HeldRows({"v": rows}), torch.arange(n) % n_folds,
        torch.zeros(n, dtype=torch.bool) if trained is None else trained,
        torch.arange(n) % 2, torch.arange(n),
    )  # fmt: skip


def fit_view(view: View, images: KnownRows, seed: int) -> FittedView:
    return fit_views({"v": view}, images, seed)["v"]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("view", [Penultimate(Memory()), Places("x", share=1.0, density=Memory())])
def test_no_surprise_that_calibrates_is_by_a_density_that_was_fitted_to_the_image(view):
    rows = draw(30, 4) if isinstance(view, Penultimate) else draw(30, 3, 3, 4)
    fitted = fit_view(view, known(rows), 0)
    folds = torch.arange(30) % 3
    out_of_fold = measure_by({"v": fitted.of_folds}, {"v": view}, HeldRows({"v": rows}), folds)["v"]
    for surprises, expected in (
        (fitted.surprises, 2.0),
        (fitted.surprise(rows), 1.0),
        (out_of_fold, 2.0),
    ):
        torch.testing.assert_close(surprises, torch.full((30,), expected, dtype=torch.float64))


def test_no_surprise_is_by_a_fit_to_the_image_where_the_network_remembers_either():
    trained = torch.arange(60) < 40
    rows = torch.where(trained[:, None], draw(60, 3), draw(60, 3) * 9)
    view = Penultimate()
    honest = fit_view(view, known(rows, trained), 0)
    assert honest.remembered
    # What held-out images are measured by has not seen them: it stays as it is when they change.
    moved = rows.clone()
    moved[50] += 100
    again = fit_view(view, known(moved, trained), 0)
    assert again.remembered
    others = torch.arange(60) != 50
    assert torch.equal(again.surprises[others], honest.surprises[others])
    memory = fit_view(Penultimate(Memory()), known(rows, trained), 0)
    assert (memory.surprises == 2).all()


def test_copies_of_a_stranger_cannot_vouch_for_each_other_within_a_group():
    rows = torch.cat([draw(60, 4), torch.full((20, 4), 1e3)])
    folds = torch.cat([torch.arange(60) % 4, torch.full((20,), 4)])
    none = torch.zeros(80, dtype=torch.bool)
    images = KnownRows(HeldRows({"v": rows}), folds, none, torch.arange(80) % 2, torch.arange(80))
    fitted = fit_view(Penultimate(), images, 0)
    assert fitted.surprises[60:].min() > fitted.surprises[:60].max()


@pytest.mark.parametrize(
    "density",
    [
        Mixture(projection=0.9, n_components=(1,), covariance_types=("diag",)),
        Mixture(projection=2, n_components=(1,), covariance_types=("full",), per_class=True),
        ReconstructionError(0.9),
    ],
)
def test_every_density_is_fitted_in_folds(density):
    fitted = fit_view(Penultimate(density), known(draw(40, 6)), 0)
    assert fitted.surprises.isfinite().all()
    assert (fitted.surprises >= 0).all()
    apart = fit_view(Penultimate(density), known(draw(40, 6)), 0)
    assert torch.equal(fitted.surprises, apart.surprises)


def test_many_places_are_drawn_equally_from_each_image(monkeypatch):
    monkeypatch.setattr("cellxai.density.fitted_view.MOST_ROWS", 40)
    monkeypatch.setattr("cellxai.density.taught_rows.MOST_ROWS", 40)
    counted = []
    monkeypatch.setattr(Memory, "fit", lambda _, rows, labels, __: counted.append(
        (len(rows), labels.bincount().tolist())) or Remembered(rows))  # fmt: skip
    fit_view(Places("x", density=Memory()), known(draw(10, 5, 5, 2), n_folds=2), 0)
    assert counted[0] == (40, [20, 20])
    assert counted[1][0] == 40


class Stream(RowSource):
    """Rows that are made when they are asked for; counts how many images are asked for at once."""

    def __init__(self, n: int, f: int = 3) -> None:
        self.n, self.f, self.most = n, f, 0

    def __len__(self) -> int:
        return self.n

    def of(self, images: Tensor) -> dict[str, Tensor]:
        self.most = max(self.most, len(images))
        steps = torch.arange(self.f, dtype=torch.float64) + 1
        rows = (torch.sin(images[:, None] * steps * 12.9898) * 43758.5453).frac().float()
        return {"v": rows, "p": rows[:, None, None].expand(-1, 2, 2, -1)}


def test_of_many_images_some_are_held_and_all_are_measured(monkeypatch):
    monkeypatch.setattr("cellxai.density.taught_rows.HELD_NUMBERS", 3 * 60)
    counted, n = [], 1000
    monkeypatch.setattr(Memory, "fit", lambda _, rows, __, ___: counted.append(len(rows))
                        or Remembered(rows))  # fmt: skip
    source, none = Stream(n), torch.zeros(n, dtype=torch.bool)
    images = KnownRows(source, torch.arange(n) % 5, none, torch.arange(n) % 2, torch.arange(n))
    views = {
        "v": Penultimate(Memory()),
        "p": Places("x", share=1.0, smoothing=0.0, density=Memory()),
    }
    fitted = fit_views(views, images, 0)
    assert source.most <= 128
    assert (counted[0], counted[6]) == (60, 240)  # four places of each image
    assert sum(counted[1:6]) == 4 * 60
    for name, view in fitted.items():
        # Never by a density that saw the image; the densities of all know sixty of the images.
        torch.testing.assert_close(view.surprises, torch.full((n,), 2.0).double())
        seen = source.of(torch.arange(n))[name]
        assert int((view.surprise(seen) == 1).sum()) == 60


def test_a_stream_is_learned_as_the_same_rows_in_memory(monkeypatch):
    n, trained = 300, torch.arange(300) < 200
    source = Stream(n)
    held = HeldRows(source.of(torch.arange(n)))
    views = {"v": Penultimate(), "p": Places("x", share=1.0, smoothing=0.0)}
    for most in (10**6, 3 * 90):
        monkeypatch.setattr("cellxai.density.taught_rows.HELD_NUMBERS", most)
        one, two = (
            fit_views(
                views, KnownRows(rows, torch.arange(n) % 5, trained, trained.long(),
                                 torch.arange(n)), 0
            )
            for rows in (source, held)
        )  # fmt: skip
        for name in views:
            assert torch.equal(one[name].surprises, two[name].surprises)


def test_rows_that_nothing_can_be_learned_from_are_refused():
    with pytest.raises(ValueError, match="at least two images"):
        fit_view(Penultimate(), known(draw(1, 3)), 0)
    broken = draw(6, 3)
    broken[3, 1] = torch.nan
    with pytest.raises(ValueError, match="view 'v' of image 3 is not finite"):
        fit_view(Penultimate(), known(broken), 0)
    with pytest.raises(ValueError, match="1 fold of 6 images"):
        fit_view(Penultimate(), known(draw(6, 3), n_folds=1), 0)


def test_where_a_fold_has_fewer_axes_than_all_images_these_have_as_few():
    density = Mixture(projection=0.999999, n_components=(1,), covariance_types=("diag",))
    fitted = fit_view(Penultimate(density), known(draw(12, 30)), 0)
    assert fitted.density.projection.n_dimensions == 7
    assert {of_fold.projection.n_dimensions for of_fold in fitted.of_folds} == {7}
    assert fitted.surprises.isfinite().all()
