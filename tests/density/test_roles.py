import pytest
import torch

from cellxai.density.roles import (
    NO_IMAGES,
    Roles,
    assign_by_fold,
    assign_by_part,
    fit_rounds,
    split_folds,
)

PARTS = ["train"] * 6 + ["validation"] * 3 + ["test"] * 4


def indices(values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


def test_training_images_fit_validation_images_calibrate_and_test_images_are_judged():
    assignment = assign_by_part(PARTS, [True] * 13)
    (roles,) = assignment.rounds
    assert roles is assignment.final
    assert roles.fitted.tolist() == list(range(6))
    assert roles.calibrating.tolist() == [6, 7, 8]
    assert roles.judged.tolist() == [9, 10, 11, 12]


def test_without_validation_images_the_test_images_calibrate_and_none_is_judged():
    roles = assign_by_part(["train", "train", "test"], [True] * 3).final
    assert (roles.calibrating.tolist(), roles.judged.tolist()) == ([2], [])
    assert roles.unfitted.tolist() == [2]


def test_a_class_that_is_left_out_has_no_role():
    roles = assign_by_part(PARTS, [i % 2 == 0 for i in range(13)]).final
    assert roles.fitted.tolist() == [0, 2, 4]
    with pytest.raises(ValueError, match="no image of part 'validation' is left"):
        assign_by_part(PARTS, [not 6 <= i < 9 for i in range(13)])


def test_in_turn_every_image_is_judged_once_by_the_others():
    folds = torch.arange(12) % 3
    rounds = assign_by_fold(folds, [True] * 12).rounds
    assert sorted(torch.cat([roles.judged for roles in rounds]).tolist()) == list(range(12))
    for roles in rounds:
        assert not {*roles.judged.tolist()} & {*roles.fitted.tolist()}
        assert torch.equal(roles.folds, folds[roles.fitted])


def test_what_is_kept_of_folds_is_fitted_to_every_usable_image():
    folds = torch.arange(12) % 3
    final = assign_by_fold(folds, [i != 4 for i in range(12)]).final
    assert final.fitted.tolist() == [i for i in range(12) if i != 4]
    assert torch.equal(final.folds, folds[final.fitted])


def test_a_round_that_is_also_the_final_one_is_fitted_once():
    fitted = []
    fits, final = fit_rounds(assign_by_part(PARTS, [True] * 13), lambda r: fitted.append(r) or [r])
    assert len(fitted) == 1
    assert final is fits[0]
    fits, final = fit_rounds(assign_by_fold(torch.arange(12) % 3, [True] * 12), lambda r: r)
    assert len(fits) == 3
    assert len(final.fitted) == 12


@pytest.mark.parametrize(("calibrating", "judged"), [([1], [2]), ([2], [1]), ([3], [3])])
def test_no_image_can_have_two_roles(calibrating, judged):
    with pytest.raises(AssertionError, match="two roles"):
        Roles(indices([0, 1]), indices(calibrating), indices(judged), NO_IMAGES)


def test_a_threshold_needs_one_source():
    with pytest.raises(AssertionError, match="one source"):
        Roles(indices([0, 1]), NO_IMAGES, indices([2]), NO_IMAGES)


def test_folds_are_split_into_their_indices():
    assert [part.tolist() for part in split_folds(indices([5, 0, 5, 2]))] == [[1], [3], [0, 2]]
    with pytest.raises(ValueError, match="1 fold of 3 images, expected at least two"):
        split_folds(indices([1, 1, 1]))
