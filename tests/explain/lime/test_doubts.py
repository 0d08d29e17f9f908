import torch
from torch import nn

from cellxai.explain.base import Context
from cellxai.explain.lime.designs import OrthogonalArray
from cellxai.explain.lime.lime import Lime
from cellxai.explain.lime.stopping import Stop
from cellxai.explain.superpixels.methods import Grid


def test_one_superpixel_is_named(net, images, targets):
    context = Context(torch.zeros(3, 16, 16, dtype=torch.long), torch.zeros_like(images))
    attribution = Lime(60).attribute(net, images, targets, context)
    assert attribution.status == "degraded"
    assert attribution.reason == "one superpixel cannot be ranked (3 of 3 images)"
    assert attribution.values.isfinite().all()


def test_too_few_samples_are_called_degraded(net, images, targets, context):
    few, enough = (Lime(n).attribute(net, images, targets, context) for n in (39, 40))
    assert few.status == "degraded"
    assert few.reason == "39 samples for 4 superpixels, LIME with Bernoulli needs about 10 each"
    assert (enough.status, enough.reason) == ("ok", "")


def test_a_better_design_needs_fewer_samples(net, images, targets, context):
    few = Lime(16, design=OrthogonalArray()).attribute(net, images, targets, context)
    assert few.status == "ok"
    assert Lime(16).attribute(net, images, targets, context).status == "degraded"


def test_a_ranking_that_stays_unstable_is_said_to_be(images, targets):
    # Every superpixel counts the same but for noise that depends on the whole mask.
    labels = Grid(size_px=4).segment(images)
    context = Context(labels, torch.zeros_like(images), batch_size=64)

    def noisy(batch):
        shown = nn.functional.avg_pool2d((batch.abs().sum(1, keepdim=True) > 0).float(), 4)
        code = shown.flatten(1) @ 2.0 ** torch.arange(16.0)
        return (code[:, None] * 12.9898).sin() * torch.ones(3)

    attribution = Lime(300, stop=Stop(top_k=3, jaccard=0.99)).attribute(
        noisy, images, targets, context
    )
    assert attribution.status == "degraded"
    assert attribution.reason.startswith("after 300 samples the top 3 are stable to 0.")
    assert attribution.reason.endswith("0.99 was asked for; raise n_samples")


def test_a_worse_precision_is_called_degraded(net, images, targets, context):
    def coarse(batch):
        scores = net(batch)
        return scores if batch.dtype == scores.dtype else scores + torch.rand_like(scores)

    assert Lime(60, bf16=True).attribute(coarse, images, targets, context).status == "degraded"
