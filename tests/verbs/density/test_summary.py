def test_the_summary_tells_of_images_that_were_fitted_to_only_where_others_were_judged(
    scored, pixels
):
    assert "flagged: train " in str(scored)
    assert {"train", "out of fold"} <= {*pixels.share_flagged}
    assert "flagged: out of fold " in str(pixels)
