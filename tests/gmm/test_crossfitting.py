import torch

from gmm.crossfitting import cross_fit

X = torch.arange(7.0)
PARTS = [torch.tensor([5, 0]), torch.tensor([3]), torch.tensor([6, 1, 2, 4])]


def test_each_part_is_scored_by_the_model_of_the_other_rows_and_scores_come_in_their_order():
    crossed = cross_fit(7, PARTS, lambda rows: X[rows].sum(), lambda model, rows: model + X[rows])
    sums = [X.sum() - X[part].sum() for part in PARTS]
    assert list(crossed.models) == sums
    belongs = [0, 2, 2, 1, 2, 0, 2]
    assert crossed.scores.tolist() == [sums[part] + x for part, x in zip(belongs, X, strict=True)]


def test_the_rows_of_a_fit_are_in_ascending_order_and_none_is_held_out():
    rows = cross_fit(7, PARTS, lambda rows: rows, lambda rows, part: X[part]).models
    assert [part.tolist() for part in rows] == [[1, 2, 3, 4, 6], [0, 1, 2, 4, 5, 6], [0, 3, 5]]


def test_of_one_part_there_are_its_scores_alone_in_the_order_of_the_samples():
    crossed = cross_fit(7, PARTS[:1], lambda rows: None, lambda model, rows: X[rows])
    assert crossed.scores.tolist() == [0.0, 5.0]


def test_several_scores_of_each_sample_stay_together():
    crossed = cross_fit(7, PARTS, len, lambda model, rows: torch.stack([X[rows], -X[rows]]))
    assert torch.equal(crossed.scores, torch.stack([X, -X]))
