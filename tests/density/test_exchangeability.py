import numpy as np

from cellxai.density.exchangeability import remembers

TRAINED = np.arange(200) < 150


def test_a_network_that_remembers_is_told_from_one_that_does_not():
    surprise = np.random.default_rng(0).gamma(3, size=200)
    assert not remembers(surprise, TRAINED, np.arange(200))
    assert remembers(np.where(TRAINED, surprise, surprise * 3), TRAINED, np.arange(200))


def test_held_out_images_that_surprise_less_are_no_memory():
    surprise = np.random.default_rng(0).gamma(3, size=200)
    assert not remembers(np.where(TRAINED, surprise * 3, surprise), TRAINED, np.arange(200))


def test_images_of_few_groups_prove_nothing():
    # Two plates of each kind: 200 images, but four numbers.
    surprise = np.random.default_rng(0).gamma(3, size=200)
    units = np.arange(200) // 25
    units[150:] = 6 + np.arange(50) % 2
    shifted = np.where(TRAINED, surprise, surprise * 1.6)
    assert remembers(shifted, TRAINED, np.arange(200))
    assert not remembers(shifted, TRAINED, np.where(TRAINED, units // 3, units))


def test_without_images_of_both_kinds_there_is_nothing_to_compare():
    surprise = np.ones(4)
    assert not remembers(surprise, np.ones(4, bool), np.arange(4))
    assert not remembers(surprise, np.zeros(4, bool), np.arange(4))


def test_the_test_is_wrong_as_rarely_as_it_says():
    generator = np.random.default_rng(1)
    wrong = [remembers(generator.gamma(3, size=200), TRAINED, np.arange(200)) for _ in range(300)]
    assert np.mean(wrong) < 0.03
