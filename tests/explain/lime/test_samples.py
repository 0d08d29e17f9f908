import torch

from cellxai.explain.lime.designs import Bernoulli, OrthogonalArray
from cellxai.explain.lime.samples import (
    draw_samples,
    evaluate_samples,
    first_occurrences,
    pad_samples,
)
from cellxai.explain.lime.stopping import Stop

CPU = torch.device("cpu")


def test_first_occurrences_point_to_the_first_equal_row():
    rows = torch.tensor([[1, 0], [0, 1], [1, 0], [1, 1], [0, 1], [1, 0]]).bool()
    assert first_occurrences(rows).tolist() == [0, 1, 0, 3, 1, 0]


def test_every_distinct_mask_is_evaluated_once_and_its_score_given_to_all_equals():
    seen = []

    def evaluate(owners, masks):
        seen.extend(map(tuple, masks.tolist()))
        return masks.double() @ torch.arange(1.0, 4.0).double()[:, None]

    samples = draw_samples(Bernoulli(), 3, 100, 1, 0.25, 0, CPU)
    (done,) = evaluate_samples([samples], evaluate, Bernoulli(), None, 0)
    assert len(seen) == len(set(seen)) == 8
    assert torch.equal(done.scores[:, 0], done.masks.double() @ torch.arange(1.0, 4.0).double())


def test_an_image_that_is_stable_costs_nothing_more_while_another_goes_on():
    noise = torch.Generator().manual_seed(0)
    counts = [0, 0]

    def evaluate(owners, masks):
        for owner in owners.tolist():
            counts[owner] += 1
        exact = masks[:, :5].double() @ torch.tensor([5.0, -4, 3, 2, 1]).double()
        random = torch.randn(len(masks), generator=noise, dtype=torch.float64)
        return torch.where(owners == 0, exact, random)[:, None]

    design = OrthogonalArray()
    drawn = [draw_samples(design, 9, 400, 1, 0.25, 0, CPU) for _ in range(2)]
    calm, wild = evaluate_samples(drawn, evaluate, design, Stop(top_k=3, jaccard=0.95), 0)
    assert calm.n_used == 1 + 2 * design.round_size(9)
    assert counts[0] == len(calm.masks[: calm.n_used].unique(dim=0))
    assert wild.n_used == 400
    assert calm.stability.item() >= 0.95 > wild.stability.item()


def test_images_are_padded_with_superpixels_never_shown_and_samples_without_weight():
    def evaluate(owners, masks):
        return masks.double().sum(1, keepdim=True)

    drawn = [draw_samples(Bernoulli(), s, n, 1, 0.25, 0, CPU) for s, n in ((3, 20), (5, 30))]
    padded = pad_samples(evaluate_samples(drawn, evaluate, Bernoulli(), None, 0))
    assert padded.masks.shape == (2, 30, 5)
    assert not padded.masks[0, :, 3:].any()
    assert (padded.weights[0, 20:] == 0).all()
    assert padded.scores.isfinite().all()
