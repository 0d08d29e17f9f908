"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, read-only; CI always has it."""
    folder = Path(os.environ.get("CELLXAI_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real data at {folder}; set CELLXAI_DATA to the folder that holds it"
        if os.environ.get("CI") == "true" and (REPOSITORY.parent / "shared").exists():
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
