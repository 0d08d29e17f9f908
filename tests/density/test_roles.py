import pytest
import torch

from cellxai.density.roles import Roles, assign_by_fold, assign_by_part, fit_rounds, split_folds

PARTS = ["train"] * 6 + ["validation"] * 3 + ["test"] * 4


def indices(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def deal(chosen: torch.Tensor) -> torch.Tensor:
    return torch.arange(len(chosen)) % 2


def test_training_and_validation_images_fit_and_test_images_are_judged():
    assignment = assign_by_part(PARTS, [True] * 13, False, deal)
    (roles,) = assignment.rounds
    assert roles is assignment.final
    assert roles.fitted.tolist() == list(range(9))
    assert roles.trained.tolist() == [True] * 6 + [False] * 3
    assert roles.judged.tolist() == roles.compared.tolist() == [9, 10, 11, 12]
    assert roles.taught.tolist() == list(range(9))


def test_a_network_that_saw_none_of_the_images_was_trained_on_none():
    assert not assign_by_part(PARTS, [True] * 13, True, deal).final.trained.any()


def test_without_validation_images_the_test_images_fit_and_none_is_judged():
    roles = assign_by_part(["train", "train", "test"], [True] * 3, False, deal).final
    assert (roles.fitted.tolist(), roles.judged.tolist()) == ([0, 1, 2], [])
    # Strangers are then compared with images that the detectors beside it have not seen.
    assert (roles.compared.tolist(), roles.taught.tolist()) == ([2], [0, 1])


def test_a_class_that_is_left_out_has_no_role():
    roles = assign_by_part(PARTS, [i % 2 == 0 for i in range(13)], False, deal).final
    assert roles.fitted.tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="no image of part 'validation' is left"):
        assign_by_part(PARTS, [not 6 <= i < 9 for i in range(13)], False, deal)


def test_in_turn_every_image_is_judged_once_by_the_others():
    folds = torch.arange(12) % 3
    rounds = assign_by_fold(folds, [True] * 12).rounds
    assert sorted(torch.cat([roles.judged for roles in rounds]).tolist()) == list(range(12))
    for roles in rounds:
        assert not {*roles.judged.tolist()} & {*roles.fitted.tolist()}
        assert sorted(set(roles.folds.tolist())) == [0, 1]
        same = folds[roles.fitted][:, None] == folds[roles.fitted]
        assert torch.equal(roles.folds[:, None] == roles.folds, same)


def test_what_is_kept_of_folds_is_fitted_to_every_usable_image():
    folds = torch.arange(12) % 3
    final = assign_by_fold(folds, [i != 4 for i in range(12)]).final
    assert final.fitted.tolist() == [i for i in range(12) if i != 4]
    assert torch.equal(final.folds, folds[final.fitted])


def test_a_round_that_is_also_the_final_one_is_fitted_once():
    fitted = []
    assignment = assign_by_part(PARTS, [True] * 13, False, deal)
    fits, final = fit_rounds(assignment, lambda r: fitted.append(r) or [r])
    assert len(fitted) == 1
    assert final is fits[0]
    fits, final = fit_rounds(assign_by_fold(torch.arange(12) % 3, [True] * 12), lambda r: r)
    assert len(fits) == 3
    assert len(final.fitted) == 12


def test_no_image_can_fit_and_be_judged():
    ones = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(AssertionError, match="two roles"):
        Roles(indices([0, 1]), ones, ones.bool(), indices([1]), indices([1]))


def test_images_are_found_among_the_fitted_ones():
    roles = assign_by_part(["test", "train", "validation", "train"], [True] * 4, False, deal).final
    assert roles.fitted.tolist() == [1, 3, 2]
    assert roles.places_among_fitted(indices([2, 1])).tolist() == [2, 0]


def test_folds_are_split_into_their_indices():
    assert [part.tolist() for part in split_folds(indices([5, 0, 5, 2]))] == [[1], [3], [0, 2]]
    with pytest.raises(ValueError, match="1 fold of 3 images, expected at least two"):
        split_folds(indices([1, 1, 1]))
