import pytest
from small_density import SETTINGS

from cellxai.data.pixels.corruptions import Darken
from cellxai.verbs.density.verb import density


@pytest.mark.slow
@pytest.mark.renders
def test_a_corruption_at_every_severity_is_a_curve_of_five(run):
    result = density(
        run, SETTINGS, corruptions={"dim": Darken()}, every_severity=True, detectors={}
    )
    assert [row.set for row in result.detector_results if row.detector == "density"] == [
        f"dim {level}" for level in range(1, 6)
    ]
    assert (result.folder / "severity.png").is_file()
    density(run, SETTINGS, corruptions={"dim": Darken()}, detectors={})
    assert not (result.folder / "severity.png").exists()
