import math

from gmm.em import criteria


def test_criteria_charge_for_parameters_what_their_papers_say():
    assert criteria.aic(-10.0, 3) == 26
    assert criteria.bic(-10.0, 100, 3) == 20 + 3 * math.log(100)
    assert criteria.icl(20.0, 1.5) == 23
