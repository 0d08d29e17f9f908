"""The tables of the invented benchmark on disk."""

from pathlib import Path

import pytest

from cellxai.explain.results.score_arrays import Results
from cellxai.explain.tables.export import write_results


@pytest.fixture(scope="session")
def folder(invented_results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every table; never written to."""
    folder = tmp_path_factory.mktemp("tables")
    write_results(folder, invented_results)
    return folder
