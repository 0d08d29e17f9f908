"""AdamW: which weights learn how fast, and which of them decay."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from timm.models._manipulate import group_with_matcher
from torch import nn
from torch.nn import Parameter
from torch.optim import AdamW

Schedule = Literal["plateau", "cosine"]
HEAD = "head"  # stands for what comes behind the backbone: no group of layers is called so


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW and how its learning rate rises and falls.

    Args:
        learning_rate: Learning rate of the head, and of all layers if ``layer_decay`` is 1.
        weight_decay: Decoupled, as AdamW has it (arXiv:1711.05101).
        plateau_factor: The learning rate is multiplied by this on a plateau.
        plateau_patience: Epochs without improvement that make a plateau.
        minimum_learning_rate: The learning rate is not reduced below this.
        schedule: "plateau" lowers it when ``training.monitor`` is no longer better; "cosine" along
            half a wave over all epochs (arXiv:1608.03983), for runs too short to find a plateau.
        warm_up_epochs: The learning rate rises linearly, step by step, over so many epochs, which
            may be a fraction; on top of the schedule.
        warm_up_steps: Length of the same rise in steps; pass one of the two.
        layer_decay: Each group of layers learns at this share of the rate of the group behind it
            (arXiv:1801.06146 section 3.1); 1 for one rate. 0.75 keeps much of pretrained weights.
        decay_biases_and_norms: Whether biases, gains of normalisation, and what the network itself
            excludes decay like all other weights.
        plateau_cooldown: Epochs after a reduction in which none counts as one without improvement;
            5 in the source notebook.
        plateau_threshold: Share of the best value by which a better one has to differ from it.
        epsilon: Added to the root of the second moment, in the denominator of a step: AdamW's.

    Raises:
        ValueError: If a number is out of its range, or both lengths of the warm-up are given.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    plateau_factor: float = 0.8  # this, 2 and 1e-5 are the source notebook's
    plateau_patience: int = 2
    minimum_learning_rate: float = 1e-5
    schedule: Schedule = "plateau"
    warm_up_epochs: float = 0.0
    warm_up_steps: int = 0
    layer_decay: float = 1.0
    decay_biases_and_norms: bool = True
    plateau_cooldown: int = 0
    plateau_threshold: float = 1e-4
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        for name in (
            "learning_rate", "weight_decay", "plateau_patience", "plateau_cooldown",
            "plateau_threshold", "minimum_learning_rate",
        ):  # fmt: skip
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"training.optimiser.{name}={getattr(self, name)}: expected 0 or more"
                )
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"training.optimiser.epsilon={self.epsilon}: expected more than 0")
        if not 0 < self.plateau_factor <= 1:
            raise ValueError(
                f"training.optimiser.plateau_factor={self.plateau_factor}: expected a share above "
                "0, up to 1"
            )
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay={self.layer_decay}: expected a share above 0, up to 1")
        if min(self.warm_up_epochs, self.warm_up_steps) < 0:
            raise ValueError(
                f"warm_up_epochs={self.warm_up_epochs} and warm_up_steps={self.warm_up_steps}: "
                "expected 0 for none, or more"
            )
        if self.warm_up_epochs and self.warm_up_steps:
            raise ValueError(
                f"warm_up_epochs={self.warm_up_epochs} and warm_up_steps={self.warm_up_steps} are "
                "two lengths of one warm-up; pass one"
            )


def layer_factors(backbone: nn.Module, layer_decay: float) -> dict[str, float]:
    """The share of the learning rate for each parameter of a backbone, by name.

    A backbone of timm says itself which parameters are one layer; of another, each child is. The
    head stands one layer behind the last, with a factor of 1, and so do parameters of a backbone
    that timm counts to its classifier.
    """
    layers = timm_layers(backbone) if hasattr(backbone, "group_matcher") else child_layers(backbone)
    last = max(layers.values())
    return {name: layer_decay ** (last - i) for name, i in layers.items() if name != HEAD}


def timm_layers(backbone: nn.Module) -> dict[str, int]:
    """Number of the layer of each parameter, by timm's own grouping, and of the head."""
    parameters = [*backbone.named_parameters(), (HEAD, Parameter(torch.empty(0)))]
    matcher = backbone.group_matcher(coarse=False)  # pyright: ignore[reportCallIssue]
    return group_with_matcher(iter(parameters), matcher, reverse=True)  # pyright: ignore


def child_layers(backbone: nn.Module) -> dict[str, int]:
    """Number of the layer of each parameter, a layer for each child that has any; head last."""
    names = [name for name, _ in backbone.named_parameters()]
    children = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return {**{name: children.index(name.partition(".")[0]) for name in names}, HEAD: len(children)}


def parameter_groups(
    backbone: nn.Module, head: nn.Module, settings: OptimiserSettings
) -> list[dict[str, Any]]:
    """Groups for the optimiser: parameters that learn, by their layer's factor and their decay."""
    factors = layer_factors(backbone, settings.layer_decay)
    kept = () if settings.decay_biases_and_norms else undecayed_parameters(backbone, head)
    groups: dict[tuple[float, bool], list[Parameter]] = {}
    for part, factor_of in ((backbone, factors), (head, {})):
        for name, parameter in learning_parameters(part):
            key = (factor_of.get(name, 1.0), id(parameter) not in kept)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "layer_factor": factor,
            "weight_decay": settings.weight_decay if decays else 0.0,
        }
        for (factor, decays), parameters in groups.items()
    ]


def learning_parameters(part: nn.Module) -> Iterable[tuple[str, Parameter]]:
    """The parameters that are not frozen."""
    return ((name, p) for name, p in part.named_parameters() if p.requires_grad)


def undecayed_parameters(backbone: nn.Module, head: nn.Module) -> set[int]:
    """Identities of biases, gains of normalisation, and what the backbone names itself."""
    excluded = getattr(backbone, "no_weight_decay", set)()  # positions and tokens of transformers
    chosen = {id(p) for name, p in backbone.named_parameters() if p.ndim <= 1 or name in excluded}
    return chosen | {id(p) for p in head.parameters() if p.ndim <= 1}


def build_adamw(groups: list[dict[str, Any]], settings: OptimiserSettings, fused: bool) -> AdamW:
    """The optimiser of these groups; ``fused`` is one pass over all weights, on CPU and CUDA."""
    rate, decay = settings.learning_rate, settings.weight_decay
    return AdamW(groups, lr=rate, weight_decay=decay, eps=settings.epsilon, fused=fused)
