import torch
from torch import nn

from cellxai.explain.provenance import identify_model
from cellxai.explain.score import Probability, Score, Scored
from cellxai.files.identity import hash_source, shorten


def test_a_trained_model_is_another_model():
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    before = identify_model(model)
    nn.init.zeros_(model.weight)
    assert identify_model(model) != before


def test_a_function_is_identified_by_its_name():
    assert identify_model(identify_model) == "identify_model"


class Mine(Score):
    def scores(self, outputs):
        return -outputs


def test_a_score_of_ones_own_is_told_apart_by_its_code():
    network = nn.Linear(2, 2)
    of_network = identify_model(network)
    ours, mine = (identify_model(Scored(network, score)) for score in (Probability(), Mine()))
    assert ours == f"cellxai.explain.score.Probability() of {of_network}"
    assert mine.endswith(f"Mine() {shorten(hash_source(Mine))} of {of_network}")
    assert hash_source(Mine)
