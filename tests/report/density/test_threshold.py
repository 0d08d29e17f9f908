from cellxai.files.folder import RunFolder
from cellxai.report.density.threshold import MeasuredThreshold, read_promise


def test_a_promise_is_kept_where_the_interval_holds_the_nominal_share(run):
    promise, problem = read_promise(RunFolder(run), nominal_percent=4.0)
    assert promise is not None
    assert problem == ""
    assert [row.kept for row in promise.rows] == [True, False]
    assert promise.used.nominal == 0.04
    assert MeasuredThreshold(0.04, 0.05, (0.02, 0.1), 100).kept
