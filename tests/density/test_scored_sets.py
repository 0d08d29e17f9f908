import numpy as np
import pytest
import torch

from cellxai.density.scored_sets import (
    merge_sets,
    score_known,
    score_out_of_fold,
    score_set,
    score_twins,
)
from cellxai.density.strangers import Strangers


def test_every_image_out_of_fold_has_the_verdict_of_the_round_that_judges_it(fitted_rounds):
    known, rounds = fitted_rounds(30, 3)
    scored = score_out_of_fold(known, rounds)
    assert [record.id for record in scored.images.records] == [r.id for r in known.records]
    for fitted in rounds:
        judged = fitted.roles.judged
        expected = fitted.pipeline.judge(known.every.some(judged).rows)
        assert torch.equal(scored.verdicts.p[judged], expected.p)


def test_a_part_is_divided_by_the_roles_of_its_images(fitted_rounds):
    known, (fitted, *_) = fitted_rounds(30, 3)
    sets = score_known(known, fitted)
    assert [(scored.name, scored.role, len(scored.flagged)) for scored in sets] == [
        ("train", "fitted", 20), ("train", "judged", 10),
    ]  # fmt: skip
    ids = [record.id for scored in sets for record in scored.images.records]
    assert sorted(ids) == sorted(record.id for record in known.records)
    assert torch.equal(sets[0].verdicts.p, fitted.pipeline.judge_known().p)


def test_twins_are_scored_in_order_by_a_round_that_has_not_seen_their_image(
    image_set, fitted_rounds
):
    _, rounds = fitted_rounds(30, 3)
    twins = Strangers(image_set(30, 3), np.arange(30))
    scored = score_twins("dark", twins, rounds)
    assert scored.role == "unfamiliar"
    assert torch.equal(scored.images.features, twins.images.features)
    for fitted in rounds:
        judged = fitted.roles.judged
        expected = fitted.pipeline.judge(twins.images.some(judged).rows)
        assert torch.equal(scored.verdicts.p[judged], expected.p)


def test_joined_sets_keep_each_images_numbers_in_the_order_asked_for(image_set, fitted_rounds):
    _, (fitted, *_) = fitted_rounds(30, 3)
    near, far = image_set(3, 5, name="n"), image_set(2, 6, 50.0, "f")
    sets = [
        score_set("both", "unfamiliar", images, fitted, fitted.pipeline.judge(images.rows))
        for images in (near, far)
    ]
    merged = merge_sets(sets, np.array([4, 0, 3, 2, 1]))
    rows = merged.rows("ab")
    assert [row["id"] for row in rows] == ["f1", "n0", "f0", "n2", "n1"]
    assert merged.flagged[[0, 2]].all()
    assert float(rows[1]["log_p"]) == pytest.approx(float(sets[0].log_p[0]), rel=1e-8)
    for row, image in zip(rows, merged.verdicts.log_p.exp(), strict=True):
        in_views = [float(row["p: all"]), float(row["p: two"])]
        assert in_views == pytest.approx(image.tolist(), rel=1e-5)
        assert row["view"] == ("all", "two")[int(np.argmin(in_views))]
