from report_files import change_table, section_of

from cellxai.files.folder import RunFolder
from cellxai.report.density.detectors import read_detectors


def test_detectors_are_ranked_and_the_best_of_each_set_is_marked(run):
    detectors, _ = read_detectors(RunFolder(run))
    assert detectors is not None
    assert detectors.names == ("density", "energy")
    assert detectors.sets[0].best == ("density",)
    text = section_of(run, "density")
    assert "★ 0.993" in text
    assert "★ 0.612" not in text
    assert "0.893 to 0.993" in text


def test_figures_that_are_no_number_are_dashes_and_never_the_best(run):
    change_table(run / "density" / "detectors.csv", auroc="nan", auroc_low="nan", auroc_high="nan")
    detectors, problem = read_detectors(RunFolder(run))
    assert detectors is not None
    assert problem == ""
    assert detectors.sets[0].best == ()
    assert "– to –" in section_of(run, "density")
