import pytest
import torch

from cellxai.density.verdicts import calibrate, join_verdicts


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).square()


NONE = torch.zeros(200, dtype=torch.bool)


def test_the_most_surprised_view_is_named_and_decides():
    calibration = calibrate(draw(200, 3), [False] * 3, NONE, 4.0, None)
    new = draw(5, 3, seed=1).clamp(max=1.0)
    new[2, 1] = 1e4
    verdicts = calibration.judge(new)
    assert verdicts.flagged.tolist() == [False, False, True, False, False]
    assert int(verdicts.most_surprised[2]) == 1
    assert float(verdicts.p[2]) == pytest.approx(1 / 201)
    assert float(verdicts.evidence[2]) == pytest.approx(float(verdicts.log_p[2, 1]), rel=1e-5)
    assert verdicts.evidence[2] < -5


@pytest.mark.parametrize("percent", [4.0, 10.0, 30.0])
def test_exchangeable_images_are_flagged_as_often_as_was_asked_for(percent):
    shares = []
    for seed in range(60):
        rows = draw(300, 4, seed=seed)
        flags = calibrate(rows[:200], [False] * 4, NONE, percent, None).judge(rows[200:]).flagged
        shares.append(float(flags.double().mean()))
    assert sum(shares) / len(shares) == pytest.approx(percent / 100, rel=0.15)


def test_a_guarantee_is_broken_as_rarely_as_it_says():
    broken = 0
    for seed in range(100):
        rows = draw(2200, 2, seed=seed)
        verdicts = calibrate(rows[:200], [False] * 2, NONE, 10.0, 0.9).judge(rows[200:])
        broken += float(verdicts.flagged.double().mean()) > 0.1
    assert broken <= 18


def test_views_that_remember_are_calibrated_on_held_out_images_alone():
    trained = torch.arange(200) < 120
    surprises = draw(200, 3)
    surprises[trained, 2] = 1e-6  # so well remembered that everything else seems strange
    calibration = calibrate(surprises, [False, False, True], trained, 10.0, None)
    own, other = calibration.panels
    assert (own.views, len(own.images)) == ((0, 1), 200)
    assert other.views == (2,)
    assert torch.equal(other.surprises[:, 0], surprises[120:, 2])
    new = draw(3000, 3, seed=1)
    assert 0.03 < float(calibration.judge(new).flagged.double().mean()) < 0.14
    # Both panels share what was asked for.
    assert [promise.percent for promise in calibration.promises] == [5.0, 5.0]


def test_a_panel_of_too_few_images_has_no_say_and_takes_no_share():
    trained = torch.arange(200) < 190
    calibration = calibrate(draw(200, 2), [False, True], trained, 4.0, None)
    assert [panel.views for panel in calibration.heard] == [(0,)]
    new = torch.tensor([[0.1, 1e9]], dtype=torch.float64)
    verdicts = calibration.judge(new)
    assert not verdicts.flagged[0]
    assert verdicts.log_p[0, 1] == 0


def test_too_few_images_flag_nothing():
    calibration = calibrate(draw(6, 2), [False, False], NONE[:6], 4.0, None)
    assert not calibration.judge(torch.full((1, 2), 1e9, dtype=torch.float64)).flagged[0]


def test_of_the_known_images_themselves_the_asked_share_is_flagged():
    calibration = calibrate(draw(200, 3), [False] * 3, NONE, 10.0, None)
    known = calibration.judge_known()
    assert int(known.flagged.sum()) == 19  # ranks of 200, at most 0.0995
    # In the tail no two are as rare; elsewhere the smallest rank over views may be a tie.
    torch.testing.assert_close(known.p.sort().values[:10], torch.arange(1, 11).double() / 200)
    assert (known.p.sort().values >= torch.arange(1, 201).double() / 200 - 1e-12).all()
    assert 50 <= int(calibration.at(30.0).judge_known().flagged.sum()) <= 59


def test_verdicts_are_joined_and_chosen_by_place():
    calibration = calibrate(draw(50, 2), [False, False], NONE[:50], 10.0, None)
    parts = [calibration.judge(draw(4, 2, seed=seed)) for seed in (1, 2)]
    chosen = join_verdicts(parts).some(torch.tensor([6, 0]))
    assert chosen.p.tolist() == [float(parts[1].p[2]), float(parts[0].p[0])]
