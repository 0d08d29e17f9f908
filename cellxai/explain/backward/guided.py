"""Guided backpropagation, deconvolution and guided Grad-CAM: gradients with another rule at ReLUs.

Their rules exist for ReLUs alone. A network of other activations leaves the plain gradient, which
is measured and said. Captum overrides ``nn.ReLU`` layers; here every ReLU that is called counts,
and ReLU6 too.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.gradients import summed_over_channels
from cellxai.explain.backward.rules import Backward, Call, Rule, Rules, plain
from cellxai.explain.base import Attribution, Context, Explainer, Model, unsupported
from cellxai.explain.cost import frozen

RELUS = ("relu", "relu6", "hardtanh")
OTHER_ACTIVATIONS = [
    "silu", "gelu", "sigmoid", "hardsigmoid", "hardswish", "tanh", "elu", "selu", "celu",
    "leaky_relu", "prelu", "mish", "softplus", "softmax", "scaled_dot_product_attention",
]  # fmt: skip


class GuidedBackprop(Explainer):
    """The gradient, of which each ReLU passes on only what is positive (arXiv:1412.6806).

    Signed, summed over the channels. *Degraded* with any activation that is no ReLU.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return overridden(model, images, targets, context.batch_size, positive_of_active)


class Deconvolution(Explainer):
    """The gradient, where each ReLU passes on what is positive, active or not (arXiv:1311.2901).

    Signed, summed over the channels. *Degraded* with any activation that is no ReLU.
    """

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        return overridden(model, images, targets, context.batch_size, positive)


class GuidedGradCam(Explainer):
    """Guided backpropagation times the positive part of Grad-CAM (arXiv:1610.02391, sect. 3.4).

    The map of the layer is upsampled by repetition. *Degraded* as guided backpropagation is.

    Args:
        layer: See :class:`cellxai.explain.backward.GradCam`.
    """

    def __init__(self, layer: str | None = None) -> None:
        self.layer = layer

    def attribute(
        self,
        model: Model,
        images: Float[Tensor, "b c h w"],
        targets: Int[Tensor, " b"],
        context: Context,
    ) -> Attribution:
        """See :meth:`Explainer.attribute`."""
        coarse = GradCam(self.layer).coarse(model, images, targets, context.batch_size)
        if isinstance(coarse, str):
            return unsupported(images, coarse)
        guided = GuidedBackprop().attribute(model, images, targets, context)
        cam = F.interpolate(coarse[:, None].clamp(min=0), images.shape[-2:])[:, 0]
        return Attribution(guided.values * cam, status=guided.status, reason=guided.reason)


def overridden(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
    backward: Callable[[Call], Backward],
) -> Attribution:
    """The gradient with another backward pass at ReLUs, and what that changed where it matters."""
    calls: Counter[str] = Counter()
    rules = relu_rules(backward, calls)
    with frozen(model):
        values = gradient(model, images, targets, batch_size, rules)
        others = sorted(set(calls) - set(RELUS))
        if not others:
            return Attribution(values)
        usual = gradient(model, images, targets, batch_size)
    share = ((values - usual).norm() / usual.norm().clamp(min=torch.finfo(usual.dtype).tiny)).item()
    n_others, n = sum(calls[name] for name in others), calls.total()
    reason = (
        f"{n_others} of {n} activations are no ReLU ({', '.join(others)}) and keep their plain "
        f"gradient; the map differs from the gradient's by {share:.0%}"
    )
    return Attribution(values, status="degraded", reason=reason)


def relu_rules(backward: Callable[[Call], Backward], calls: Counter[str]) -> Rules:
    """Rules for ReLUs; activations are counted by name in ``calls``."""

    def relu(call: Call) -> Tensor:
        calls[call.name] += 1
        return call.with_backward(backward(call))

    def counted(call: Call) -> Tensor:
        calls[call.name] += 1
        return call.plain()

    by_name: dict[str, Rule] = dict.fromkeys(RELUS, relu)
    by_name |= dict.fromkeys(OTHER_ACTIVATIONS, counted)
    return Rules(by_name, otherwise=plain)


def positive(call: Call) -> Backward:
    """What is positive, wherever the unit stands."""
    return lambda gradient, inputs, output: [gradient.clamp(min=0)]


def positive_of_active(call: Call) -> Backward:
    """What is positive, where the unit has a slope."""

    def backward(gradient: Tensor, inputs: Sequence[Tensor], output: Tensor) -> list[Tensor]:
        leaf = inputs[0].detach().requires_grad_()
        with torch.enable_grad():
            answer = call.on(leaf.clone())
        return [torch.autograd.grad(answer, leaf, gradient.clamp(min=0))[0]]

    return backward


def gradient(
    model: Model,
    images: Float[Tensor, "b c h w"],
    targets: Int[Tensor, " b"],
    batch_size: int,
    rules: Rules | None = None,
) -> Float[Tensor, "b h w"]:
    """Gradient of the target score summed over the channels, under the rules."""

    def of_some(some: Float[Tensor, "b c h w"], target: Int[Tensor, " b"]) -> Tensor:
        with torch.enable_grad(), rules or Rules({}, otherwise=plain):
            scores = model(some)
        return torch.autograd.grad(scores.gather(1, target[:, None]).sum(), some)[0]

    return summed_over_channels(of_some, images, targets, batch_size)
