"""The sections of ``gpu_check.py`` about explanations and pixels."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import timm
import torch
from gpu_check_measures import Numbers, apart, relative, timed
from torch import Tensor, nn

from cellxai.data.pixels.clahe import equalise_batch
from cellxai.data.pixels.tensor_augment import TensorImages
from cellxai.data.pixels.transforms import Transforms
from cellxai.explain.base import Context, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.catalogue import standard_explainers
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.lime.lime import Lime
from cellxai.explain.precision import Precision, float32_products
from cellxai.explain.superpixels.methods import Grid

SIZES = ((64, 64), (224, 224), (520, 704), (131, 97))


def network(tiny: bool) -> nn.Module:
    """A classifier of random weights, the same in every call."""
    torch.manual_seed(0)
    name = "test_efficientnet" if tiny else "tf_efficientnetv2_b0"
    return timm.create_model(name, num_classes=3).eval().requires_grad_(False)


def ask(images: Tensor, batch_size: int = 32, precision: Precision = "exact") -> Context:
    """Squares to hide, seven along a side."""
    cut = Grid(images.shape[-1] // 7)
    return context_of(images, cut, BlurBaseline(), batch_size=batch_size, precision=precision)


def explainers_agree(tiny: bool) -> Numbers:
    """Each default explainer on CUDA beside the CPU, exact and fast."""
    side = 64 if tiny else 224
    here, image = network(tiny), torch.rand(1, 3, side, side)
    there = copy.deepcopy(here).cuda()
    explainers = standard_explainers() | {"LIME": Lime(32 if tiny else 1000)}
    found: Numbers = {}
    for name, explainer in explainers.items():
        expected = attribute_with_cost(explainer, here, image, torch.tensor([0]), ask(image))
        for precision in ("exact", "fast"):
            context = ask(image.cuda(), precision=precision)
            target = torch.tensor([0], device="cuda")
            answer = attribute_with_cost(explainer, there, image.cuda(), target, context)
            found[f"{name}, {precision}"] = {
                "relative": relative(answer.values, expected.values),
                "seconds": answer.cost.seconds,
                "status": answer.status,
            }
    return found


def pixels_agree(tiny: bool) -> Numbers:
    """CLAHE and augmentation: the grey levels of the CPU."""
    source = torch.Generator().manual_seed(0)
    found: Numbers = {}
    for size in SIZES[:1] if tiny else SIZES:
        images = torch.randint(0, 256, (4, *size), generator=source, dtype=torch.uint8)
        differ = equalise_batch(images.cuda()).cpu() != equalise_batch(images)
        found[f"CLAHE {size}: pixels that differ"] = int(differ.sum())
    images = torch.randint(0, 256, (40, 1, 96, 96), generator=source, dtype=torch.uint8)
    labels = torch.zeros(40, dtype=torch.long)
    transforms = Transforms(image_size=(96, 96), crop=64, random_clahe=0.5)
    here, there = (
        TensorImages(images.to(device), labels.to(device), transforms, 0)
        for device in ("cpu", "cuda")
    )
    expected, answer = (views.batch(1, np.arange(40))[0] for views in (here, there))
    return found | {"augmented batch": apart(answer, expected)}


def lime_speed(tiny: bool) -> Numbers:
    """LIME beside its bare forward passes, by batch, layout and precision, and its package."""
    side, n_samples = (64, 32) if tiny else (224, 1000)
    image = torch.rand(1, 3, side, side, device="cuda")
    usual = ask(image, batch_size=1024)
    found: Numbers = {"largest batch of a verb": usual.batch_size}
    model = network(tiny).cuda()
    for layout in (torch.contiguous_format, torch.channels_last):
        moved: Any = model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
        for bf16 in (False, True):
            for batch_size in (16,) if tiny else (32, 128, 500):
                context = replace(usual, batch_size=batch_size)
                name = f"{str(layout)[6:]}, {'bf16' if bf16 else 'float32'}, {batch_size}"
                found[name] = beside_forwards(moved, image, context, n_samples, bf16)
    found["the package / ours"] = beside_package(model, image, usual, 32 if tiny else 1000)
    return found


def beside_forwards(
    model: nn.Module, image: Tensor, context: Context, n_samples: int, bf16: bool
) -> Numbers:
    """Milliseconds of LIME and of as many images through the model alone."""
    batch = image.expand(context.batch_size, -1, -1, -1).contiguous()

    def alone() -> None:
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            for _ in range(n_samples // context.batch_size):
                model(batch)

    with float32_products("exact"):
        forwards = timed(alone, 2, 1)["median_ms"]
    lime = lime_milliseconds(Lime(n_samples, bf16=bf16), model, image, context)
    return {"forwards_ms": forwards, "lime_ms": lime, "ratio": lime / forwards}


def beside_package(model: nn.Module, image: Tensor, context: Context, n_samples: int) -> float:
    """How many times as long the lime package takes."""
    from cellxai.explain.lime.reference import LimeReference

    theirs = lime_milliseconds(LimeReference(n_samples), model, image, context)
    return theirs / lime_milliseconds(Lime(n_samples), model, image, context)


def lime_milliseconds(explainer: Any, model: nn.Module, image: Tensor, context: Context) -> float:
    target = torch.tensor([0], device="cuda")
    ask_it = lambda: attribute_with_cost(explainer, model, image, target, context)  # noqa: E731
    return timed(ask_it, 2, 1)["median_ms"]
