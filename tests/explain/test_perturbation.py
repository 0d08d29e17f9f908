import pytest
import torch

from cellxai.explain.perturbation import hide_superpixels, in_batches, perturbed_scores


def test_hidden_superpixels_show_the_fill_and_shown_ones_the_image(images, context, quarters):
    masks = torch.tensor([[True, False, True, True], [False] * 4])
    first, nothing = hide_superpixels(images[0], context.baseline[0], quarters, masks)
    assert torch.equal(first[:, quarters != 1], images[0][:, quarters != 1])
    assert (first[:, quarters == 1] == 0.5).all()
    assert torch.equal(nothing, context.baseline[0])


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_scores_do_not_depend_on_the_batch(net, images, context, batch_size):
    owners = torch.tensor([0, 0, 0, 1, 2, 2, 2])
    masks = torch.rand(7, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    columns = torch.tensor([[0, 2], [1, 1], [2, 0]])
    object.__setattr__(context, "batch_size", batch_size)
    got = perturbed_scores(net, images, context, owners, masks, columns)
    for row, owner in enumerate(owners.tolist()):
        labels, fill = context.superpixels[owner], context.baseline[owner]
        alone = net(hide_superpixels(images[owner], fill, labels, masks[row : row + 1]))[0]
        torch.testing.assert_close(got[row], alone[columns[owner]].double(), rtol=0, atol=1e-6)
    assert got.dtype == torch.float64
    assert not got.requires_grad


def test_no_mask_gives_no_score(net, images, context):
    none = torch.zeros(0, dtype=torch.long)
    columns = torch.zeros(3, 2, dtype=torch.long)
    scores = perturbed_scores(net, images, context, none, torch.ones(0, 4).bool(), columns)
    assert scores.shape == (0, 2)


def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_lost():
    asked = []

    def compute(rows):
        asked.append(rows.stop - rows.start)
        if rows.stop - rows.start > 3:
            raise torch.OutOfMemoryError("no room")
        return torch.arange(10)[rows]

    assert torch.cat(list(in_batches(compute, 10, 8))).tolist() == list(range(10))
    assert asked == [8, 4, 2, 2, 2, 2, 2]


def test_the_words_of_the_cpus_allocator_are_understood():
    def compute(rows):
        if rows.stop - rows.start > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …")
        return torch.ones(1)

    assert len(list(in_batches(compute, 3, 2))) == 3


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), torch.OutOfMemoryError("full")])
def test_other_errors_and_an_image_that_never_fits_are_raised(error):
    def compute(rows):
        raise error

    with pytest.raises(RuntimeError, match=str(error)):
        list(in_batches(compute, 3, 1 if isinstance(error, torch.OutOfMemoryError) else 2))
