"""Writes ``quantus_0_6.json``: what Quantus 0.6 answers on toy inputs that it is right on.

Run it by hand, in an environment of its own (`pip install quantus==0.6.*`), from this folder:
``python reference_by_quantus.py``. Hidden pixels are 0 and not ``black``, which to Quantus is the
darkest value of each image. Images are grey: Quantus takes each channel of a colour image for
pixels of its own, and its ROAD then fails; that failure is recorded, too.
"""

# pyright: reportMissingImports=false
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import quantus
import torch
from quantus.functions.complexity_func import discrete_entropy
from quantus.functions.perturb_func import noisy_linear_imputation
from torch import nn

SIDE, N_SUBSETS, SUBSET = 8, 20, 16


def toy() -> dict:
    """Images, maps with ties, regions, and the weights of a tiny net, to six digits."""
    rng = np.random.default_rng(6)
    maps = rng.normal(size=(2, 1, SIDE, SIDE))
    region = np.zeros((2, 1, SIDE, SIDE))
    region[0, 0, 1:4, 2:7], region[1, 0, 3:7, 3:5] = 1, 1
    numbers = {
        "images": rng.random((2, 1, SIDE, SIDE)), "maps": maps, "region": region,
        "conv": rng.normal(size=(3, 1, 3, 3)), "bias": rng.normal(size=3),
        "head": 3 * rng.normal(size=(3, 3)),
    }  # fmt: skip
    subsets = [rng.choice(SIDE**2, SUBSET, replace=False).tolist() for _ in range(2 * N_SUBSETS)]
    return {name: value.round(6).tolist() for name, value in numbers.items()} | {
        "targets": [0, 2],
        "subsets": subsets,  # run by run, the two images in turn
    }


def net(toy: dict) -> nn.Module:
    """The same net as the test builds."""
    conv, head = nn.Conv2d(1, 3, 3), nn.Linear(3, 3, bias=False)
    model = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(toy["conv"]))
        conv.bias.copy_(torch.tensor(toy["bias"]))
        head.weight.copy_(torch.tensor(toy["head"]))
    return model


def answers(toy: dict) -> dict:
    """What each metric of Quantus says."""
    x, a, s = (np.array(toy[name], np.float32) for name in ("images", "maps", "region"))
    y = np.array(toy["targets"])
    plain = {"disable_warnings": True, "abs": False, "normalise": False}
    black = plain | {"perturb_baseline": 0.0}

    def ask(metric: quantus.Metric, softmax: bool = False) -> list:
        actual = metric(
            model=net(toy), x_batch=x, y_batch=y, a_batch=a, s_batch=s,
            channel_first=True, softmax=softmax, device="cpu",
        )  # fmt: skip
        return np.asarray(actual, float).tolist()

    with patch.object(
        np.random, "choice", side_effect=[np.array(subset) for subset in toy["subsets"]]
    ):
        correlation = ask(
            quantus.FaithfulnessCorrelation(
                subset_size=SUBSET, nr_runs=N_SUBSETS, return_aggregate=False, **black
            )
        )
    removed = np.argsort(-a[0].ravel())[: SIDE**2 // 2]
    return {
        "faithfulness correlation": correlation,
        "faithfulness estimate": ask(quantus.FaithfulnessEstimate(features_in_step=1, **black)),
        "pixel flipping": ask(quantus.PixelFlipping(features_in_step=8, **black), softmax=True),
        "linear imputation": noisy_linear_imputation(x[0], removed, noise=0.0).tolist(),
        "removed": removed.tolist(),
        "relevance mass": ask(quantus.RelevanceMassAccuracy(**plain | {"abs": True})),
        "rank accuracy": ask(quantus.RelevanceRankAccuracy(**plain)),
        "top-k intersection": ask(quantus.TopKIntersection(k=12, **plain)),
        "pointing game": ask(quantus.PointingGame(**plain)),
        "AUC": ask(quantus.AUC(**plain)),
        "gini": ask(quantus.Sparseness(**plain | {"abs": True})),
        "entropy": ask(quantus.Complexity(**plain | {"abs": True})),
        "histogram entropy": [discrete_entropy(values.ravel(), values.ravel()) for values in a],
        "ROAD on RGB": road_on_rgb(toy),
    }


def road_on_rgb(toy: dict) -> str:
    """What becomes of a colour image."""
    x = np.repeat(np.array(toy["images"], np.float32), 3, 1)
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    try:
        quantus.ROAD(percentages=[30], disable_warnings=True)(
            model=model, x_batch=x, y_batch=np.array(toy["targets"]), a_batch=np.array(toy["maps"]),
            channel_first=True, softmax=False, device="cpu",
        )  # fmt: skip
    except Exception as error:  # any failure is what is asked for
        return f"{type(error).__name__}: {error}"
    return "no error"


if __name__ == "__main__":
    given = toy()
    path = Path(__file__).with_name("quantus_0_6.json")
    path.write_text(json.dumps({"toy": given, "quantus": answers(given)}) + "\n")
