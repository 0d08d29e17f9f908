import json

import numpy as np
import pytest
import torch

from gmm.encoding import CLASSES, decode, encode
from gmm.estimator import GaussianMixture


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, float("-inf"), "full", [1.0, 2.0], (1, (2, "x")), {"a": [1], "b": ()}],
)
def test_a_plain_value_comes_back_through_json(value):
    assert decode(json.loads(json.dumps(encode(value, "x", {}), allow_nan=False)), {}) == value


def test_a_missing_number_comes_back_through_strict_json():
    encoded = json.dumps(encode([float("nan"), np.float64("inf")], "x", {}), allow_nan=False)
    missing, infinite = decode(json.loads(encoded), {})
    assert (np.isnan(missing), infinite) == (True, np.inf)
    with pytest.raises(KeyError):
        decode({"float": "1e3"}, {})


@pytest.mark.parametrize(
    "value", [np.arange(6.0).reshape(2, 3).T, np.float32([[1]]), np.empty(0), np.array(3.0)]
)
def test_an_array_comes_back_in_shape_and_type(value):
    arrays = {}
    found = decode(json.loads(json.dumps(encode(value, "x", arrays))), arrays)
    np.testing.assert_array_equal(found, value)
    assert (found.shape, found.dtype) == (value.shape, value.dtype)
    assert arrays["x"].flags.c_contiguous


def test_arrays_in_a_tuple_have_names_of_their_own():
    arrays = {}
    encoded = encode((torch.ones(2), torch.zeros(2)), "weight_concentration_", arrays)
    assert sorted(arrays) == ["weight_concentration_.0", "weight_concentration_.1"]
    first, second = decode(encoded, arrays)
    assert (first.sum(), second.sum()) == (2, 0)


def test_numbers_of_numpy_become_plain_and_names_of_features_stay_words():
    assert encode(np.int64(3), "x", {}) == 3
    words = decode(encode(np.array(["a", "b"], dtype=object), "x", {}), {})
    assert words.tolist() == ["a", "b"]


def test_an_object_is_refused_by_the_name_of_its_attribute():
    with pytest.raises(TypeError, match="tol is a object, expected"):
        encode(GaussianMixture(tol=object()), "", {})


def test_every_class_of_the_list_is_where_it_says():
    import importlib

    for name, module in CLASSES.items():
        if importlib.util.find_spec(module):
            assert hasattr(importlib.import_module(module), name)
