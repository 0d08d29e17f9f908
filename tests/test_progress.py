from cellxai.progress import progress


def test_every_item_comes_once_in_order_and_a_log_stays_empty(capsys):
    assert list(progress([3, 1, 2], "counting")) == [3, 1, 2]
    assert capsys.readouterr() == ("", "")
