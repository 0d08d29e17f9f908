"""What the caller has is as it was: after any explainer, any model, any error."""

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from users_models import Answering, cnn

from cellxai.explain import explain
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.hiding.shapley import ShapleyValueSampling
from cellxai.explain.my_model.untouched import HOOKS, untouched
from cellxai.explain.superpixels.methods import Grid

EXPLAINERS = every_explainer(n_samples=20) | {"shapley-sampling": ShapleyValueSampling(1)}
SLOW = pytest.mark.slow


class Counting(nn.Module):
    """A network that writes into buffers at every pass, in place and anew, in either mode."""

    def __init__(self, body: nn.Module, stop_at: int = -1, error: type = RuntimeError) -> None:
        super().__init__()
        self.body, self.stop_at, self.error = body, stop_at, error
        self.register_buffer("passes", torch.zeros(()))
        self.register_buffer("last", torch.zeros(()))

    def forward(self, images):
        self.passes += 1
        self.last = images.detach().mean()
        if self.passes == self.stop_at:
            raise self.error("stopped inside the model")
        return self.body(images)


class Drawing(nn.Module):
    """A network that draws random numbers of all kinds in every mode."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images):
        noise = random.random() + np.random.rand() + torch.rand(())  # noqa: NPY002
        return self.body(images) + 0 * float(noise)


def in_parts(model: nn.Module) -> nn.Module:
    """Some submodules in training, some weights frozen, some with gradients, one with a hook."""
    model.train()
    modules, parameters = list(model.modules()), list(model.parameters())
    modules[len(modules) // 2].training = False
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    modules[-1].register_forward_hook(lambda *_: None)
    modules[-1].register_forward_pre_hook(lambda *_: None)
    modules[-1].register_full_backward_hook(lambda *_: None)
    return model


@pytest.fixture(scope="module", autouse=True)
def imported():
    """What is imported at a first use adds filters of warnings."""
    run(cnn(), torch.rand(1, 3, 16, 16), EXPLAINERS)


MODELS = {
    "a network in parts": lambda: in_parts(cnn()),
    "one that writes buffers": lambda: in_parts(Counting(cnn())),
    "one that draws": lambda: in_parts(Drawing(cnn())),
    "a dict": lambda: in_parts(Answering(cnn(), lambda scores: {"logits": scores})),
    "one logit": lambda: in_parts(cnn(classes=1)),
    "in float64": lambda: in_parts(cnn().double()),
    "not trained at all": lambda: cnn().eval().requires_grad_(False),
}


def flags() -> list[object]:
    """All that is global in torch, NumPy and Python, but for Python's random state.

    From that the checker of types draws, which is on in these tests: see the last test.
    """
    backends = torch.backends
    return [
        torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype(),
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        torch.is_autocast_enabled("cpu"), torch.get_num_threads(),
        backends.cudnn.benchmark, backends.cudnn.deterministic, backends.cudnn.allow_tf32,
        backends.cuda.matmul.allow_tf32, list(warnings.filters),
        torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(),  # noqa: NPY002
        np.random.get_state()[2:], np.geterr(),  # noqa: NPY002
    ]  # fmt: skip


def state(model: nn.Module) -> list[object]:
    """All that can be seen of a module, with the identities of its tensors."""
    seen: list[object] = []
    for name, module in model.named_modules():
        seen += [name, type(module), module.training, sorted(vars(module))]
        seen += [list(getattr(module, kind, {}).items()) for kind in HOOKS]
        for key, buffer in module._buffers.items():
            seen += [key, id(buffer), None if buffer is None else buffer.tolist()]
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        seen += [name, id(parameter), parameter.requires_grad, parameter.dtype, parameter.device]
        seen += [parameter.tolist(), id(gradient), None if gradient is None else gradient.tolist()]
        seen.append(list(parameter._backward_hooks or {}))
    return seen


def run(model, images, names, **reading):
    return explain(model, images, names, superpixels=Grid(8), **reading)


@pytest.mark.parametrize(
    "kind",
    ["a network in parts", "one that writes buffers"]
    + [pytest.param(kind, marks=SLOW) for kind in [*MODELS][2:]],
)
def test_nothing_of_the_caller_changes_by_any_explainer(kind, images):
    model = MODELS[kind]()
    reading = {"output": "logits"} if kind == "a dict" else {}
    before, there = state(model), flags()
    result = run(model, images, EXPLAINERS, **reading)
    assert state(model) == before
    assert flags() == there
    assert {entry.status for entry in result} <= {"ok", "degraded", "unsupported"}


@pytest.mark.parametrize("name", EXPLAINERS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_changes_where_the_model_stops_in_the_middle(name, error, images):
    model = in_parts(Counting(cnn(), stop_at=2, error=error))
    before, there = state(model), flags()
    try:
        result = run(model, images[:1], {name: EXPLAINERS[name]})
        assert result[0].status in ("ok", "degraded", "failed")  # asked once, or not at all
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    assert state(model) == before
    assert flags() == there


@pytest.mark.parametrize("name", ["saliency", "integrated-gradients", "lime", "gradcam", "lrp"])
def test_it_works_the_same_where_the_caller_wants_no_gradients(name, images):
    model = cnn()
    maps = run(model, images, name, target=1).maps[name]
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            again = run(model, images, name, target=1).maps[name]
        assert torch.allclose(again, maps, atol=1e-7)  # memory that is aligned otherwise


def leave_all_behind(model: nn.Sequential) -> None:
    for module in model.modules():
        module.register_forward_hook(lambda *_: None)
        module.register_forward_pre_hook(lambda *_: None)
        module.eval()
    model[-1].register_full_backward_pre_hook(lambda *_: None)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    raise KeyboardInterrupt


def test_hooks_that_a_block_leaves_behind_are_removed_and_the_callers_stay():
    model = in_parts(cnn())
    before = state(model)
    with pytest.raises(KeyboardInterrupt), untouched(model):
        leave_all_behind(model)
    assert state(model) == before


def test_random_numbers_drawn_in_a_block_were_never_drawn():
    before, there = random.getstate(), flags()
    with untouched(lambda images: images.mean((2, 3))):
        random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002
    assert random.getstate() == before
    assert flags() == there


UNCHECKED = """
import random
import torch
from torch import nn
from cellxai.explain import explain
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.superpixels.methods import Grid

model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
before = random.getstate()
explain(model, torch.rand(1, 3, 16, 16), every_explainer(20), superpixels=Grid(8), seeds=(0, 1))
assert random.getstate() == before
"""


@SLOW
def test_pythons_random_state_stays_without_the_checker_of_types():
    subprocess.run([sys.executable, "-c", UNCHECKED], check=True)
