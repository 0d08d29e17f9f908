import numpy as np
import pytest

from gmm.samples.chunks import Chunks


def test_the_variance_far_from_the_origin_is_that_at_it(blobs, cut):
    # At 1e8 the samples themselves are rounded to 1.5e-8.
    found = Chunks(cut(blobs + 1e8)).samples()
    assert found.variance == pytest.approx(blobs.var(0).mean(), rel=1e-7)
    np.testing.assert_allclose(found.reference, blobs.mean(0) + 1e8, rtol=1e-15)
