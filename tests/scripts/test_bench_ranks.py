import numpy as np
from bench_ranks import LAWS, NAMES, draw, findings, results_of


def test_a_method_far_ahead_is_found_and_five_alike_are_not():
    random = np.random.default_rng(0)
    ahead = findings(draw(random, 20, 5.0))
    assert all(ahead.values())
    alike = np.repeat(random.normal(size=(3, 20, 1)), len(NAMES), 2)
    assert not any(findings(alike).values())


def test_scores_are_kept_by_metric_image_and_method():
    scores = LAWS["a tenth fails"](draw(np.random.default_rng(1), 10, 0.0))
    results = results_of(scores)
    assert results.controls == {"low", "high"}
    for row in results.rows[::7]:
        place = int(row.metric[1:]), int(row.image), NAMES.index(row.explainer)
        np.testing.assert_equal(row.value, float(scores[place]))
