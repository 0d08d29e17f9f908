"""Which calls of a model are ReLUs, in whatever words, and which are other activations."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from cellxai.explain.backward.rules import Call, is_active, is_of_a_rule

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


class SeenGraph:
    """The part of torch's graph that was made by calls that the rules have answered.

    Functions in TorchScript and with a backward pass of their own are not called by torch's names:
    they are in the graph of the scores, and in no call.
    """

    def __init__(self) -> None:
        self._nodes: set[Any] = set()

    def note(self, call: Call, answer: object) -> None:
        """Remembers what a call has added to the graph."""
        values = [*call.args, *call.kwargs.values()]
        inputs = {x.grad_fn for value in values for x in _tensors_in(value)}
        self._nodes |= _graph_of([x.grad_fn for x in _tensors_in(answer)], inputs)

    def hidden_activations(self, scores: Tensor) -> Counter[str]:
        """Activations in the graph of the scores that no rule has seen, by name; then forgets."""
        unseen = _graph_of([scores.grad_fn], ()) - self._nodes
        hidden = Counter(map(_activation_of, unseen))
        self._nodes.clear()
        del hidden[""]
        return hidden


def _tensors_in(value: object) -> list[Tensor]:
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []


def _graph_of(starts: Sequence[Any], border: Collection[Any]) -> set[Any]:
    """Nodes from the starts back to the border, which is left out."""
    nodes, waiting = set[Any](), list(starts)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes and node not in border:
            nodes.add(node)
            waiting += [parent for parent, _ in node.next_functions]
    return nodes


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
