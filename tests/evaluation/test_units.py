from pathlib import Path

import numpy as np

from cellxai.data.records import Record
from cellxai.evaluation.units import sampling_units, units_of_rarest_class


def test_the_unit_is_the_image_unless_it_has_a_group_and_a_group_is_never_an_image():
    records = [
        Record(name, Path(), "x", group=group)
        for name, group in [("a", "p"), ("b", None), ("c", "p"), ("d", "b"), ("e", None)]
    ]
    assert sampling_units(records).tolist() == [0, 1, 0, 2, 3]


def test_the_rarest_class_is_counted_in_units_and_absent_classes_are_not():
    labels, units = np.array([0, 0, 0, 2, 2, 2]), np.array([0, 1, 2, 3, 3, 4])
    assert units_of_rarest_class(labels, units) == 2
