"""A planted batch effect is found; where there is none, none is, at the level that is said."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from cellxai.evaluation import batch_effect
from cellxai.evaluation.batch_effect import (
    BatchImages,
    Discriminant,
    exchangeable_blocks,
    permuted,
    principal_axes,
    tell,
)


def draw(seed: int, effect: float = 0.0, together: float = 0.5, n_wells: int = 48) -> BatchImages:
    """Wells of three images on two plates: the class shifts one number, the plate another.

    Args:
        seed: Of the draw.
        effect: Shift of the plate, where images of a well vary by 1 and wells by 1.
        together: Share of the wells whose plate is that of their class.
        n_wells: Number of wells.
    """
    random = np.random.default_rng(seed)
    label = random.permutation(np.arange(n_wells) % 2)
    plate = np.where(random.random(n_wells) < together, label, 1 - label)
    units = np.repeat(np.arange(n_wells), 3)
    features = random.normal(0, 1, (len(units), 6)) + random.normal(0, 1, (n_wells, 6))[units]
    features[:, 0] += 4 * label[units]
    features[:, 1] += effect * plate[units]
    return BatchImages(features, plate[units], label[units], units)


@pytest.fixture
def few_permutations(monkeypatch) -> None:
    monkeypatch.setattr(batch_effect, "N_PERMUTATIONS", 39)


@pytest.mark.parametrize("together", [0.5, 0.8])
def test_a_planted_batch_effect_is_told_beyond_the_class(few_permutations, together):
    telling = tell(draw(0, effect=4.0, together=together))
    assert telling.p == 1 / 40
    assert telling.accuracy > 0.6
    assert telling.beyond_class
    assert telling.interval is not None
    assert telling.interval[0] > telling.chance == 0.5


def test_where_each_class_has_its_own_plate_both_are_told_as_one(few_permutations):
    telling = tell(draw(0, together=1.0))
    assert not telling.beyond_class
    assert telling.p == 1 / 40


def test_the_discriminant_is_scikit_learns():
    random = np.random.default_rng(0)
    values = np.arange(90) % 3
    x = random.normal(size=(90, 4)) + 1.5 * np.eye(4)[values]
    tested = random.normal(size=(500, 4))
    ours = Discriminant(x, tested).predict(values, 3)
    theirs = LinearDiscriminantAnalysis("lsqr", priors=np.full(3, 1 / 3)).fit(x, values)
    assert (ours == theirs.predict(tested)).mean() > 0.99  # but for the ridge
    assert set(Discriminant(x, tested).predict(np.where(values == 1, 2, values), 3)) == {0, 2}


def test_permutations_keep_units_whole_and_stay_within_a_class():
    images = draw(0, together=0.7)
    blocks, is_free = exchangeable_blocks(images)
    assert is_free
    for _, values in zip(
        range(5), permuted(images, blocks, np.random.default_rng(0)), strict=False
    ):
        assert (values != images.values).any()
        for unit in range(48):
            assert len(set(values[images.units == unit])) == 1
        for k in (0, 1):
            of_class = images.classes == k
            assert values[of_class].sum() == images.values[of_class].sum()


def test_a_column_that_varies_within_a_well_is_permuted_within_it():
    images = draw(0)
    site = np.tile([0, 1, 2], 48)
    images = BatchImages(images.features, site, images.classes, images.units)
    blocks, is_free = exchangeable_blocks(images)
    values = next(permuted(images, blocks, np.random.default_rng(0)))
    assert is_free
    assert (np.sort(values.reshape(48, 3)) == [0, 1, 2]).all()


def test_numbers_that_never_vary_are_left_out_and_many_become_few():
    random = np.random.default_rng(0)
    wide = np.column_stack([random.normal(size=(100, 80)), np.full(100, 7.0)])
    assert principal_axes(wide).shape == (100, batch_effect.MOST_AXES)
    assert principal_axes(wide[:, -3:]).shape == (100, 2)


@pytest.mark.slow
@pytest.mark.parametrize("together", [0.5, 0.85])
def test_without_a_batch_effect_no_more_is_told_than_the_level_says(few_permutations, together):
    n_draws = 120
    p = np.array([tell(draw(seed, together=together), seed).p for seed in range(n_draws)])
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_draws)
    assert 0.4 < p.mean() < 0.6
