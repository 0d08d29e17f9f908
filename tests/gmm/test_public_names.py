import pytest

import gmm


def test_every_public_name_is_there():
    assert all(getattr(gmm, name).__name__ == name for name in gmm.__all__)
    assert dir(gmm) == gmm.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'mixtures'"):
        _ = gmm.mixtures
