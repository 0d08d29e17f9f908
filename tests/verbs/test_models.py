import pytest
import timm
import torch

from cellxai.cli import VERBS
from cellxai.verbs import models as zoo
from cellxai.verbs.models import count_parameters, models
from gmm.commandline import run


@pytest.mark.parametrize("name", ["tf_efficientnetv2_b0", "test_vit"])
def test_the_parameters_counted_are_those_of_a_network_really_built(name):
    built = timm.create_model(name)
    assert count_parameters(name) == sum(p.numel() for p in built.parameters())
    assert next(built.parameters()).device.type == "cpu"  # nothing is left switched on
    assert torch.randn(100).std() > 0


def test_the_table_lists_both_efficientnets_with_size_and_tags():
    found = {model.name: model for model in models().models}
    assert len(found) == 16
    small = found["tf_efficientnetv2_s"]
    assert (small.train_size, small.test_size) == (300, 384)
    assert small.tags == ("in1k", "in21k", "in21k_ft_in1k")
    assert small.n_parameters == 21_458_488
    first = found["tf_efficientnet_b0"]
    assert (first.train_size, first.test_size) == (224, 224)
    assert "in1k" in first.tags


def test_a_pattern_lists_any_model_of_timm_a_line_each():
    text = str(models("test_efficientnet*"))
    expected = timm.list_models("test_efficientnet*")
    lines = text.splitlines()
    assert lines[0].split()[0] == "name"
    assert [line.split()[0] for line in lines[1:]] == expected


def test_a_long_list_is_not_counted_and_says_so(monkeypatch):
    monkeypatch.setattr(zoo, "count_parameters", None)
    found = models("*mobilenet*")
    assert len(found.models) > zoo.COUNTED
    assert {model.n_parameters for model in found.models} == {None}
    assert str(found).endswith("parameters are counted in lists of at most 40 models")


def test_a_pattern_without_a_model_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"called 'mobilenetv2_10'.*nearest: .*mobilenetv2_100"):
        models("mobilenetv2_10")


def test_on_the_command_line_the_pattern_is_a_word(capsys):
    assert run("cellxai", "", VERBS, ["models", "test_vit"]) == 0
    assert "test_vit " in capsys.readouterr().out
    assert run("cellxai", "", VERBS, ["models", "tset_vit"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
