from cellxai.files.folder import RunFolder
from cellxai.report.density.threshold import MeasuredThreshold, Promise, read_promise


def test_a_promise_is_kept_where_the_interval_holds_the_nominal_share(run):
    promise, problem = read_promise(RunFolder(run), nominal_percent=4.0)
    assert promise is not None
    assert problem == ""
    assert [row.kept for row in promise.rows] == [True, False]
    assert promise.verdict == (
        "Set to flag 4.0 % of known images, the threshold flags 41.7 % of 12 that it has not seen "
        "(95 % interval 19.3 % to 68.1 %): not what was promised."
    )
    kept = MeasuredThreshold(0.04, 0.05, (0.02, 0.1), 100)
    assert Promise((kept,), kept, None).verdict.endswith(": as promised.")
