"""Small random networks, and the same network in other words."""

import random
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, N_CLASSES = 4, 3
BLOCKS = ("plain", "normalised", "depthwise", "residual", "dense", "gated", "max pool", "mean pool")
ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": F.relu, "silu": F.silu, "hardswish": F.hardswish, "leaky_relu": F.leaky_relu,
}  # fmt: skip
RELU_IN_OTHER_WORDS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.clamp(min=0),
    lambda x: torch.maximum(x, torch.zeros_like(x)),
    lambda x: F.threshold(x, 0, 0),
    lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    lambda x: x * (x > 0),
    lambda x: x.clamp_min(0),
    lambda x: F.hardtanh(x, 0, 1e9),
]


class Block(nn.Module):
    """One block of [b 4 h w] to [b 4 h w], in one of several words.

    Args:
        kind: What it does.
        activation: Name of its activation.
        words: ``copying``, ``in place``, ``functional`` or ``channels last``.
    """

    def __init__(self, kind: str, activation: str, words: str = "copying") -> None:
        super().__init__()
        self.kind, self.activation, self.words = kind, activation, words
        groups = WIDTH if kind == "depthwise" else 1
        self.first = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=groups)
        self.second = nn.Conv2d(2 * WIDTH if kind == "dense" else WIDTH, WIDTH, 1)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.squeeze = nn.Conv2d(WIDTH, WIDTH, 1)
        with torch.no_grad():
            for statistics in (self.norm.running_mean, self.norm.bias):
                nn.init.normal_(statistics, std=0.3)
            for scales in (self.norm.running_var, self.norm.weight):
                nn.init.uniform_(scales, 0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "max pool":
            return F.max_pool2d(x, 2)
        if self.kind == "mean pool":
            return F.avg_pool2d(x, 2)
        y = self._convolve(self.first, x)
        if self.kind in ("normalised", "depthwise"):
            y = self._normalise(y)
        y = self._activate(y)
        if self.kind == "gated":
            gate = self._convolve(self.squeeze, y.mean((2, 3), keepdim=True)).sigmoid()
            return self._combine(y, gate, "mul")
        if self.kind == "dense":
            y = torch.cat([x, y], 1)
        if self.kind in ("depthwise", "residual", "dense"):
            y = self._convolve(self.second, y)
        return self._combine(y, x, "add") if self.kind == "residual" else y

    def _convolve(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        if self.words == "channels last" and layer.kernel_size == (1, 1):
            last = F.linear(x.permute(0, 2, 3, 1), layer.weight[:, :, 0, 0], layer.bias)
            return last.permute(0, 3, 1, 2)
        if self.words == "functional":
            return F.conv2d(
                input=x, weight=layer.weight, bias=layer.bias, padding=layer.padding,
                groups=layer.groups,
            )  # fmt: skip
        return layer(x)

    def _normalise(self, x: Tensor) -> Tensor:
        norm = self.norm
        if self.words == "functional":
            return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return norm(x)

    def _activate(self, x: Tensor) -> Tensor:
        if self.words == "in place":
            ACTIVATIONS[self.activation](x, inplace=True)
            return x
        if self.words == "functional" and self.activation == "relu":
            return RELU_IN_OTHER_WORDS[BLOCKS.index(self.kind) % len(RELU_IN_OTHER_WORDS)](x)
        return ACTIVATIONS[self.activation](x)

    def _combine(self, x: Tensor, y: Tensor, how: str) -> Tensor:
        if self.words == "in place":
            getattr(x, f"{how}_")(y)
            return x
        if self.words == "functional":
            return getattr(torch, how)(x, y)
        return x + y if how == "add" else x * y


class Network(nn.Module):
    """Normalisation, a stem, blocks, and a head."""

    def __init__(self, blocks: list[tuple[str, str]], words: str = "copying") -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(Block(*block, words) for block in blocks)
        self.head = nn.Linear(WIDTH, N_CLASSES)
        self.words = words

    def forward(self, images: Tensor) -> Tensor:
        if self.words == "in place":
            x = images.clone()
            x.sub_(0.5)
            x.div_(0.25)
        else:
            x = (images - 0.5) / 0.25
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((2, 3)))


class Wrapped(nn.Module):
    """Another module under a name, as ``DataParallel`` has it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *images: Tensor) -> Tensor:
        return self.module(*images)


class WithExtras(nn.Module):
    """A model that answers with a tuple."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.module(images)
        return scores, scores.detach()


class First(nn.Module):
    """The first answer of a model that gives several."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        return self.module(images)[0]


class Shifted(nn.Module):
    """What a network does to the images before its first layer."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - 0.5) / 0.25


class MeanOverPlaces(nn.Module):
    """The mean over rows and columns."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def draw_blocks(seed: int) -> list[tuple[str, str]]:
    """Two to four blocks; all activations alike."""
    dice = random.Random(seed)
    activation = dice.choice(["relu", "relu", *ACTIVATIONS])
    return [(dice.choice(BLOCKS), activation) for _ in range(dice.randint(2, 4))]


def build_network(seed: int, words: str = "copying", dtype: torch.dtype = torch.float64) -> Network:
    """The network of a seed: the same weights in whatever words.

    In double precision, where nothing but another network can make a difference.
    """
    torch.manual_seed(seed)
    return Network(draw_blocks(seed), words).to(dtype).eval()


def in_sequence(network: Network) -> nn.Module:
    """The same as an ``nn.Sequential``."""
    return nn.Sequential(
        Shifted(), network.stem, *network.blocks, MeanOverPlaces(), network.head
    ).eval()


def traced(network: nn.Module) -> nn.Module:
    """The same in TorchScript."""
    with torch.no_grad():
        return torch.jit.trace(
            network, torch.rand(2, 3, 12, 12, dtype=torch.float64), check_trace=False
        )


OTHER_WORDS: dict[str, Callable[[int], nn.Module]] = {
    "in place": partial(build_network, words="in place"),
    "functional": partial(build_network, words="functional"),
    "layers that are channels last": partial(build_network, words="channels last"),
    "memory that is channels last": lambda seed: build_network(seed).to(
        memory_format=torch.channels_last
    ),
    "in sequence": lambda seed: in_sequence(build_network(seed)),
    "wrapped": lambda seed: Wrapped(build_network(seed)),
    "with extras": lambda seed: First(WithExtras(build_network(seed))).eval(),
    "traced": lambda seed: traced(build_network(seed)),
    "bfloat16": lambda seed: build_network(seed, dtype=torch.bfloat16),
    "float16": lambda seed: build_network(seed, dtype=torch.float16),
    "a plain function": lambda seed: build_network(seed).__call__,
}
