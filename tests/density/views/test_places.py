import pytest
import torch
from scipy.ndimage import gaussian_filter

from cellxai.density.views import Places, Seen
from cellxai.density.views.places import smooth


def draw(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_a_place_is_the_mean_of_its_neighbours_and_there_are_no_more_than_asked_for():
    output = draw(1, 2, 6, 9)
    rows = Places("a").rows(Seen(draw(1, 3, 8, 8), {"a": output}))
    assert rows.shape == (1, 6, 9, 2)
    torch.testing.assert_close(rows[0, 2, 3], output[0, :, 1:4, 2:5].mean((1, 2)))
    torch.testing.assert_close(rows[0, 0, 0], output[0, :, :2, :2].mean((1, 2)))
    assert Places("a", side=4).rows(Seen(draw(1, 3, 8, 8), {"a": output})).shape == (1, 4, 4, 2)


def test_an_image_is_as_surprising_as_its_most_surprising_places():
    surprise = torch.zeros(2, 10, 10)
    surprise[1, 4, 4], surprise[1, 8, 2] = 6.0, 2.0
    view = Places("a", smoothing=0.0, share=0.02)
    assert view.of_image(surprise).tolist() == [0.0, 4.0]
    assert Places("a", smoothing=0.0, share=1e-9).of_image(surprise).tolist() == [0.0, 6.0]


def test_smoothing_is_scipys():
    nats = draw(1, 20, 24)
    expected = gaussian_filter(nats[0].numpy(), 1.0, mode="mirror", truncate=3.0)
    torch.testing.assert_close(smooth(nats, 1.0)[0], torch.from_numpy(expected))
    assert smooth(nats, 0.0) is nats
    assert smooth(nats[:, :1], 1.0).shape == (1, 1, 24)


def test_a_layer_without_places_and_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="layer='a' has no places"):
        Places("a").rows(Seen(draw(1, 3, 8, 8), {"a": draw(1, 7)}))
    for wrong in ({"side": 0}, {"share": 0.0}, {"share": 1.5}, {"smoothing": -1.0}):
        with pytest.raises(ValueError, match="expected at least one place"):
            Places("a", **wrong)
