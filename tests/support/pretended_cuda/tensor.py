"""A CPU tensor that says it is on CUDA, and what happens to it in every operation."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from pretended_cuda import counts, refusals, rules

current_device = [0]


class PretendedTensor(Tensor):
    """A CPU tensor that says it is on CUDA."""

    inner: Tensor
    pretended: torch.device

    @staticmethod
    def __new__(cls, inner: Tensor, device: torch.device) -> "PretendedTensor":
        assert not isinstance(inner, PretendedTensor)
        wrapped = Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, layout=inner.layout, device=device, requires_grad=False,
        )  # fmt: skip
        wrapped.inner = inner.detach() if inner.requires_grad else inner
        wrapped.pretended = device
        return wrapped

    def __init__(self, *_: Any) -> None:
        pass

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Pretended({self.inner!r}, device={self.pretended})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError("only tensors that are leaves of the graph can be copied deeply")
        copied = PretendedTensor(self.inner.detach().clone(), self.pretended)
        if getattr(self, "_is_param", False):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        else:
            copied.requires_grad_(self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.inner.detach().__reduce_ex__(protocol)

    def __format__(self, spec: str) -> str:
        return self.item().__format__(spec) if self.dim() == 0 else object.__format__(self, spec)

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            f"can't convert {self.pretended} device type tensor to numpy. Use Tensor.cpu() to copy "
            f"the tensor to host memory first."
        )

    def pin_memory(self, *_: Any, **__: Any) -> Tensor:
        raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be")


class PretendedMode(TorchDispatchMode):
    """Sees factories and copies that no pretended tensor takes part in."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return dispatch(func, args, kwargs or {})


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operation, on the CPU, under the rules of CUDA."""
    name = func._schema.name.removeprefix("aten::")
    leaves, spec = tree_flatten((args, kwargs))
    on_device = [leaf for leaf in leaves if isinstance(leaf, PretendedTensor)]
    asked = _asked_device(args, kwargs)
    if not on_device and (asked is None or asked.type != "cuda"):
        return func(*args, **kwargs)
    if torch.is_inference_mode_enabled() and torch._C._dispatch_has_kernel_for_dispatch_key(
        func.name(), "CompositeImplicitAutograd"
    ):  # nothing has taken it apart before
        with PretendedMode():
            return func.decompose(*args, **kwargs)
    if name in rules.CROSSING:
        return _cross(func, name, args, kwargs, asked)
    target = asked or on_device[0].pretended
    _apply_rules(func, name, args, kwargs, leaves, on_device, target)
    if name == "_fused_sdp_choice":
        return 0
    result = _compute(func, name, leaves, spec, target)
    return _wrap_result(func._schema, args, kwargs, result, target)


def _asked_device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    asked = kwargs.get("device")
    if asked is None:
        asked = next((arg for arg in args if isinstance(arg, torch.device)), None)
    return None if asked is None else with_index(asked)


def with_index(device: Any) -> torch.device:
    """The device with its number: that of the current one where none is given."""
    device = torch.device(device)
    bare = device.type == "cuda" and device.index is None
    return torch.device("cuda", current_device[0]) if bare else device


def _apply_rules(func, name, args, kwargs, leaves, on_device, target) -> None:
    refusals.check_devices(func, name, leaves, on_device)
    refusals.check_generator(leaves, target)
    refusals.check_repeatable(name, args, kwargs)
    if on_device:
        refusals.check_numbers(name, on_device[0])
    if name in rules.INDEXING:
        refusals.check_index(name, args)
    if rules.synchronises(name, kwargs):
        counts.record_sync(name)


def _compute(func, name: str, leaves: list[Any], spec: Any, target: torch.device) -> Any:
    """The operation on the CPU, counted as a kernel."""
    args, kwargs = tree_unflatten([_real(leaf) for leaf in leaves], spec)
    if kwargs.get("device") is not None:
        kwargs["device"] = torch.device("cpu")
    if kwargs.get("pin_memory"):
        kwargs["pin_memory"] = False
    if rules.is_rounded(name):
        args = rules.round_factors(name, args)
    result = func(*args, **kwargs)
    if target.type == "cuda" and counts.is_watched():
        _measure(func, name, (args, kwargs, result))
    return result


def _real(value: Any) -> Any:
    return value.inner if isinstance(value, PretendedTensor) else value


def _measure(func: Any, name: str, values: Any) -> None:
    if name not in rules.NO_KERNEL and not func.is_view:
        tensors = [leaf for leaf in tree_flatten(values)[0] if isinstance(leaf, Tensor)]
        counts.record_launch(name, tensors)


def _wrap_result(schema, args, kwargs, result, target: torch.device) -> Any:
    """Results as wrappers; what is written in place as the wrapper that was given."""
    if target.type != "cuda":
        return result
    if not schema.returns:
        return None
    several = len(schema.returns) > 1
    results = list(result) if several else [result]
    wrapped = [
        _given(schema, args, kwargs, told)
        if told.alias_info is not None and told.alias_info.is_write
        else tree_map(lambda leaf: _wrap(leaf, target), value)
        for value, told in zip(results, schema.returns, strict=False)
    ]
    return tuple(wrapped) if several else wrapped[0]


def _given(schema, args, kwargs, told) -> Any:
    """The argument that a result is written into."""
    wanted = told.alias_info.before_set
    for i, argument in enumerate(schema.arguments):
        info = argument.alias_info
        if info is None or not info.is_write or info.before_set != wanted:
            continue
        value = kwargs.get(argument.name, args[i] if i < len(args) else None)
        if isinstance(value, PretendedTensor) and value.shape != value.inner.shape:
            reshape = rules.RESHAPED_IN_PLACE[schema.name.removeprefix("aten::")]
            with torch._C._DisableTorchDispatch():  # the wrapper's own shape
                reshape(*args, **kwargs)
        return value
    raise AssertionError(schema)


def _wrap(leaf: Any, target: torch.device) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    if torch.is_inference_mode_enabled() != leaf.is_inference():  # a view of one from outside
        with torch.inference_mode(leaf.is_inference()):
            return PretendedTensor(leaf, target)
    return PretendedTensor(leaf, target)


def _cross(func, name: str, args, kwargs, asked: torch.device | None) -> Any:
    """A copy, between host and device or on the device."""
    if name == "_foreach_copy_":
        for destination, source in zip(args[0], args[1], strict=True):
            dispatch(torch.ops.aten.copy_.default, (destination, source), {})
        return None
    if name == "_to_copy":
        return _copy_to(func, args, kwargs, asked)
    destination, source = args[0], args[1]
    func(_real(destination), _real(source), *args[2:], **kwargs)
    waits = not (kwargs.get("non_blocking", False) or (len(args) > 2 and args[2]))
    _count_copy(_real(destination), _device(source), _device(destination), waits)
    return destination


def _copy_to(func, args, kwargs, asked: torch.device | None) -> Any:
    source = args[0]
    target = asked or _device(source)
    inner = {key: value for key, value in kwargs.items() if key != "pin_memory"}
    if inner.get("device") is not None:
        inner["device"] = torch.device("cpu")
    copied = func(_real(source), *args[1:], **inner)
    _count_copy(copied, _device(source), target, not kwargs.get("non_blocking", False))
    return PretendedTensor(copied, target) if target.type == "cuda" else copied


def _device(tensor: Tensor) -> torch.device:
    return tensor.pretended if isinstance(tensor, PretendedTensor) else tensor.device


def _count_copy(copied: Tensor, source: torch.device, target: torch.device, waits: bool) -> None:
    size = copied.numel() * copied.element_size()
    if source.type == target.type == "cuda":
        counts.record_launch("copy_", [copied, copied])
    elif target.type == "cuda":
        counts.record_copy(size, to_device=True)
    elif source.type == "cuda":
        counts.record_copy(size, to_device=False)
        if waits:
            counts.record_sync("copy to the host")
