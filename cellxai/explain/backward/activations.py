"""Which calls of a model are ReLUs, in whatever words, and which are other activations."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from cellxai.explain.backward.rules import Call, Rule, is_active, is_of_a_rule

OTHER_ACTIVATIONS = frozenset({
    "silu", "gelu", "sigmoid", "hardsigmoid", "hardswish", "tanh", "elu", "selu", "celu",
    "leaky_relu", "prelu", "rrelu", "mish", "softplus", "softsign", "logsigmoid", "log_sigmoid",
    "hardshrink", "softshrink", "tanhshrink", "glu", "abs", "softmax",
    "scaled_dot_product_attention",
})  # fmt: skip
CAPS = (None, 6)  # ReLU and ReLU6
LOWER_BOUNDS = frozenset({"clamp", "clip", "clamp_min", "hardtanh"})
MAXIMA = frozenset({"maximum", "max", "fmax"})
MASKS = frozenset({"where", "masked_fill", "mul"})
BOUNDS = frozenset({"clamp_max", "minimum", "fmin", "threshold"}) | LOWER_BOUNDS
COMPILED = ("DifferentiableGraph", "CppFunction", "CppNode")


RELU_WORDS = LOWER_BOUNDS | MAXIMA | MASKS | {"threshold", "_threshold"}
"""Functions that may be a ReLU, by torch's names."""


def relu_in_other_words(rule: Rule) -> Callable[[Rule], Rule]:
    """Makes of a function's rule one that answers by ``rule`` where the function is a ReLU."""

    def with_relu(usual: Rule) -> Rule:
        return lambda call: rule(call) if is_relu(call) else usual(call)

    return with_relu


def name_of(call: Call) -> str:
    """The name of a function, without the underscore of torch's private ones."""
    return call.name.removeprefix("_")


def is_relu(call: Call) -> bool:
    """Whether the call is a ReLU or a ReLU6, by its name, its bounds, or what a mask does."""
    name = name_of(call)
    if name in ("relu", "relu6"):
        return True
    if name in LOWER_BOUNDS:
        low, high = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
        usual = -1 if name == "hardtanh" else None
        return _is_zero(_argument(call, 1, low, usual)) and _argument(call, 2, high, None) in CAPS
    if name == "threshold":
        named = _argument(call, 1, "threshold", None), _argument(call, 2, "value", None)
        return all(map(_is_zero, named))
    if name in MAXIMA:
        others = [value for value in (*call.args, *call.kwargs.values()) if not is_active(value)]
        return len(call.active) == 1 and len(others) == 1 and _is_tensor_of_zeros(others[0])
    return name in MASKS and _masks_what_is_negative(call)


def is_other_activation(call: Call) -> bool:
    """Whether the call is an activation that is no ReLU; a bound that no value meets is none."""
    name = name_of(call)
    if name in BOUNDS | MAXIMA:
        if len(call.active) > 1 or not _has_bound(call):
            return False  # a maximum of features, as in pooling
        (x,) = list(call.active.values())[:1]
        return not torch.equal(call.run_on(*(y.detach() for y in call.active.values())), x)
    return name in OTHER_ACTIVATIONS or (name in MASKS and name != "mul")


def count_activations(nodes: Collection[Any]) -> Counter[str]:
    """Activations among nodes of torch's graph, by name."""
    counts = Counter(map(_activation_of, nodes))
    del counts[""]
    return counts


def _activation_of(node: Any) -> str:
    """The name of the activation that a node belongs to; empty for anything else."""
    name = node.name()
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        return "" if is_of_a_rule(node) else name.removesuffix("Backward")
    if any(part in name for part in COMPILED):
        return "compiled"
    name = name.split("Backward")[0].lower().replace("leakyrelu", "leaky_relu")
    return name if name in OTHER_ACTIVATIONS | BOUNDS | {"relu", "where", "maximum"} else ""


def _has_bound(call: Call) -> bool:
    return name_of(call) != "max" or isinstance(_argument(call, 1, "other", None), Tensor)


def _argument(call: Call, position: int, name: str, default: Any) -> Any:
    return call.args[position] if len(call.args) > position else call.kwargs.get(name, default)


def _is_zero(value: object) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and _is_tensor_of_zeros(value)
    return isinstance(value, int | float) and value == 0


def _is_tensor_of_zeros(value: object) -> bool:
    return isinstance(value, Tensor) and not value.any()


def _masks_what_is_negative(call: Call) -> bool:
    """Whether the answer is a ReLU's; without a negative number every mask would look like it."""
    tensors = [value for value in (*call.args, *call.kwargs.values()) if isinstance(value, Tensor)]
    if len(call.active) != 1 or len(tensors) < 2:
        return False
    (x,) = (value.detach() for value in call.active.values())
    alike = all(tensor.shape == x.shape for tensor in tensors if tensor.numel() > 1)
    return alike and bool((x < 0).any()) and torch.equal(call.run_on(x), x.clamp(min=0))
