import subprocess
import sys

import pytest

import gmm


def test_every_public_name_is_there():
    assert all(getattr(gmm, name).__name__ == name for name in gmm.__all__)
    assert dir(gmm) == gmm.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'mixtures'"):
        _ = gmm.mixtures


HEAVY = (
    "jsonargparse",
    "matplotlib",
    "pandas",
    "safetensors",
    "sklearn.cluster",
    "sklearn.mixture",
    "sympy",
    "torch._dynamo",
    "yaml",
)
FIT = """
import sys
from gmm import GaussianMixture
imported = set(sys.modules)
import numpy as np
x = np.random.default_rng(0).normal(size=(60, 3))
GaussianMixture(2, random_state=0).fit(x).predict(x)
print(*sorted(imported))
print(*sorted(set(sys.modules) - imported))
"""


def test_an_estimator_and_its_fit_load_nothing_that_they_do_not_need():
    done = subprocess.run(
        [sys.executable, "-c", FIT], capture_output=True, text=True, check=True, timeout=300
    )
    imported, later = (set(line.split()) for line in done.stdout.split("\n")[:2])
    assert "torch" in imported
    assert not {name for name in imported if name.startswith(HEAVY)}
    assert not later
