from typing import get_args

from gmm.covariance import COVARIANCES, covariance_of
from gmm.covariance.low_rank import LowRank
from gmm.options import CovarianceType


def test_the_closed_set_of_types_has_one_more_than_scikit_learns():
    assert isinstance(covariance_of("low_rank", 3), LowRank)
    assert all(covariance_of(name, 3) is kind for name, kind in COVARIANCES.items())


def test_every_word_for_a_type_has_its_mathematics():
    assert {*get_args(CovarianceType)} == {*COVARIANCES, "low_rank"}
    assert covariance_of("low_rank", 3).n_parameters(1, 10) == LowRank(3).n_parameters(1, 10)
