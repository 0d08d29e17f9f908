"""Which explainer is right on which network, measured: the table of docs/explainers.md.

python scripts/explainer_table.py --out docs/explainers.md
cost: 5 minutes on 1 CPU core; expect: `ok`, but not for ReLU methods without ReLUs, nor for rollout
of attention without attention among all patches

Without ``--out`` the table is printed. The networks have random weights, with BatchNorm statistics
and gains as after training: whether a method is what its name says depends on the functions that a
network calls, and every status is measured anew on the network that is explained.
"""

import argparse
from pathlib import Path

import timm
import torch
from torch import nn

from cellxai.explain.base import Attribution, Context, Explainer, context_of
from cellxai.explain.baselines import BlurBaseline
from cellxai.explain.catalogue import every_explainer
from cellxai.explain.completeness import NEGLIGIBLE, change_of_score, target_scores
from cellxai.explain.cost import attribute_with_cost
from cellxai.explain.superpixels.methods import Grid
from cellxai.files.folder import atomic

FAMILIES = {
    "EfficientNetV2": "tf_efficientnetv2_b0",
    "EfficientNet": "efficientnet_b0",
    "ResNet": "resnet18",
    "MobileNetV2": "mobilenetv2_100",
    "ConvNeXt": "convnext_atto",
    "ViT": "vit_tiny_patch16_224",
}
SIDE_PX, SUPERPIXEL_PX, N_CLASSES = 64, 16, 10
N_SAMPLES = 200  # twelve for each of the 16 superpixels
SCORE_IS_PROMISED = ("lrp", "attnlrp")
CHANGE_IS_PROMISED = ("integrated-gradients", "deeplift")
BEGIN, END = "<!-- begin: scripts/explainer_table.py -->", "<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description="The table of docs/explainers.md.")
    parser.add_argument("--out", type=Path, help="file whose marked part is replaced")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    options = parser.parse_args()
    page = table({family: measure_network(FAMILIES[family]) for family in options.families})
    if options.out is None:
        print(page)
        return
    text = options.out.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    with atomic(options.out) as path:
        path.write_text(f"{before}{BEGIN}\n{page}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name.startswith("vit"):
        return timm.create_model(name, num_classes=N_CLASSES, img_size=SIDE_PX).eval()
    model = timm.create_model(name, num_classes=N_CLASSES).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
        nn.init.normal_(norm.running_mean, std=0.2)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return model


def measure_network(name: str) -> dict[str, str]:
    """Cell of each explainer: status, reason, and the gap where the method promises 0."""
    model = network(name)
    images = torch.rand(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
    context = context_of(images, Grid(SUPERPIXEL_PX), BlurBaseline(4.0))
    with torch.no_grad():
        targets = model(images).argmax(1)
    return {
        method: cell(method, explainer, model, images, targets, context)
        for method, explainer in every_explainer(N_SAMPLES).items()
    }


def cell(
    method: str,
    explainer: Explainer,
    model: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    context: Context,
) -> str:
    attribution = attribute_with_cost(explainer, model, images, targets, context)
    if attribution.status != "ok":
        return f"{attribution.status}: {attribution.reason}"
    if method in SCORE_IS_PROMISED:
        promised = target_scores(model, images, targets, context.batch_size)
    elif method in CHANGE_IS_PROMISED:
        promised = change_of_score(model, images, context.baseline, targets, context.batch_size)
    else:
        return "ok"
    return f"ok, misses {worst_gap(attribution, promised)}"


def worst_gap(attribution: Attribution, promised: torch.Tensor) -> str:
    assert attribution.completeness_gap is not None
    share = (attribution.completeness_gap.abs() / promised.abs().clamp(min=NEGLIGIBLE)).max().item()
    return "< 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"


def table(cells: dict[str, dict[str, str]]) -> str:
    """Markdown; reasons are numbered below it."""
    reasons: dict[str, int] = {}
    methods = list(next(iter(cells.values())))
    lines = ["| method | " + " | ".join(cells) + " |", "|---" * (len(cells) + 1) + "|"]
    for method in methods:
        row = [number_reason(cells[family][method], reasons) for family in cells]
        lines.append(f"| {method} | " + " | ".join(row) + " |")
    return "\n".join([*lines, "", *(f"{n}. {reason}" for reason, n in reasons.items())])


def number_reason(text: str, reasons: dict[str, int]) -> str:
    status, _, reason = text.partition(": ")
    if not reason:
        return text
    return f"{status} ({reasons.setdefault(reason, len(reasons) + 1)})"


if __name__ == "__main__":
    main()
