import numpy as np
import pytest
import torch

from cellxai.data.pixels.corruptions import Darken
from cellxai.data.readers.folder import ImageFolder
from cellxai.density.known_images import KnownImages
from cellxai.density.strangers import Strangers, StrangerSettings, select_class


def test_a_twin_is_scored_where_its_image_was_not_fitted_to(image_set, fitted_rounds):
    _, rounds = fitted_rounds(30, 3)
    twins = Strangers(image_set(30, 3), np.arange(30))
    for fitted in rounds:
        rows = torch.from_numpy(twins.rows_scored_in(fitted.roles))
        assert torch.equal(rows, fitted.roles.judged)


def test_a_name_that_another_set_has_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unfamiliar='out of fold': another set has this name"):
        StrangerSettings(unfamiliar={"out of fold": ImageFolder(tmp_path)})
    with pytest.raises(ValueError, match="corruptions='a': another set has this name"):
        StrangerSettings({"a": ImageFolder(tmp_path)}, {"a": Darken()})


def test_a_class_that_is_left_out_lacks_what_the_network_was_trained_on_unless_all_is_asked_for(
    image_set,
):
    known = KnownImages({"train": image_set(6), "test": image_set(4, 1, name="u")}, ("a", "b"))
    ids = [
        [record.id for record in select_class(known, "b", every).images.records]
        for every in (False, True)
    ]
    assert ids == [["u1", "u3"], ["k1", "k3", "k5", "u1", "u3"]]
