import pytest
import torch
from torch import nn

from cellxai.explain.backward.default_layer import default_layer, on_all_paths, run_layers
from cellxai.explain.backward.gradcam import GradCam
from cellxai.explain.backward.layout import CHANNELS_FIRST, CHANNELS_LAST, find_layout


class Block(nn.Module):
    """Two ways from one map to the next, joined by ``join``."""

    def __init__(self, width: int, join) -> None:
        super().__init__()
        self.join = join
        self.main, self.aside = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        return self.join(self.main(x).relu(), self.aside(x))


def with_head(*layers: nn.Module, width: int) -> nn.Module:
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, 3))
    return nn.Sequential(*layers, pooled).eval()


def residual(main, aside):
    return main + aside


def dense(main, aside):
    return torch.cat([main, aside], 1)


@pytest.mark.parametrize(("join", "width"), [(residual, 6), (dense, 12)])
def test_a_branch_is_passed_over_for_what_all_paths_use(join, width, images):
    net = with_head(nn.Conv2d(3, 6, 3), Block(6, join), width=width)
    assert default_layer(net, images) is net[1]


def test_the_last_convolution_stays_where_no_path_goes_round_it(images):
    net = with_head(Block(3, residual), nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), width=6)
    assert default_layer(net, images) is net[1]


def test_half_of_a_split_is_not_all_of_it(images):
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.left = nn.Conv2d(3, 8, 3), nn.Identity()
            self.rest = nn.Conv2d(4, 4, 1)

        def forward(self, x):
            left, right = self.conv(x).chunk(2, 1)
            return (self.left(left) + self.rest(right)).mean((2, 3))

    net = Half().eval()
    runs, scores, leaf, _ = run_layers(net, images[:1])
    passages = on_all_paths(scores, leaf)
    assert [run.name for run in runs if run.edge in passages] == ["conv"]


def test_without_a_late_layer_on_all_paths_a_name_is_asked_for(images):
    class Pyramid(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3)
            self.stages = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)])

        def forward(self, x):
            x, pooled = self.stem(x), []
            for stage in self.stages:
                x = stage(x).relu()
                pooled.append(x.mean((2, 3)))
            return torch.cat(pooled, 1)

    assert "on all paths" in default_layer(Pyramid().eval(), images)


class ChannelsLast(nn.Module):
    """A layer whose output is [b h w c], as in Swin."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, width, 2, stride=2), nn.Linear(width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, x):
        return self.head(self.last(self.conv(x).permute(0, 2, 3, 1)).tanh().mean((1, 2)))


@pytest.mark.parametrize(
    "width", [5, 8]
)  # 8 × 8 positions: with 8 channels the shape tells nothing
def test_channels_last_give_the_papers_map_over_the_channels(width, images, targets, context):
    torch.manual_seed(0)
    net = ChannelsLast(width).eval()
    activations = net.last(net.conv(images).permute(0, 2, 3, 1)).detach().requires_grad_()
    scores = net.head(activations.tanh().mean((1, 2))).gather(1, targets[:, None])
    (gradient,) = torch.autograd.grad(scores.sum(), activations)
    coarse = (activations * gradient.mean((1, 2), keepdim=True)).sum(3).detach()
    expected = nn.functional.interpolate(coarse[:, None], (16, 16), mode="bilinear")[:, 0]
    values = GradCam("last").attribute(net, images, targets, context).values
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (520, 704), (64, 24)])
def test_the_layout_is_found_by_shape_or_by_what_a_row_sees(height, width):
    x = torch.rand(1, 1, height, width, requires_grad=True)
    y = nn.functional.avg_pool2d(x, 8).expand(-1, 2, -1, -1) * torch.ones(1, 2, 1, 1)
    assert find_layout(y, x) == CHANNELS_FIRST
    assert find_layout(y.permute(0, 2, 3, 1), x) == CHANNELS_LAST
    assert find_layout(y[0], x) is None


def test_tokens_without_a_grid_are_named_with_a_way_out(images, targets, context):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = nn.Linear(48, 8)

        def forward(self, x):
            return self.block(nn.functional.unfold(x, 4, stride=4).mT).mean(1)

    with pytest.raises(ValueError, match=r"tokens of shape \[3, 16, 8\].*a convolution has made"):
        GradCam("block").attribute(Tokens().eval(), images, targets, context)


class LaterFunctions(nn.Module):
    """A layer, and then the same in functions."""

    def __init__(self, kernel: int, n_later: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.kernels = nn.ParameterList(torch.randn(3, 3, kernel, kernel) for _ in range(n_later))

    def forward(self, x):
        x = self.first(x)
        for kernel in self.kernels:
            if kernel.shape[-1] == 1:  # the same as a convolution, in a layout of channels last
                last = nn.functional.linear(x.permute(0, 2, 3, 1), kernel[:, :, 0, 0])
                x = last.permute(0, 3, 1, 2)
            else:
                x = nn.functional.conv2d(x, kernel, padding=1)
        return x.mean((2, 3))


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_layer_before_convolutions_that_are_functions_is_not_the_last(kernel, images):
    assert default_layer(LaterFunctions(kernel, 2), images) == (
        "2 convolutions or linear maps after the last layer, 'first', are functions and no "
        "layers; name a layer"
    )
    model = LaterFunctions(kernel, 0)
    assert default_layer(model, images) is model.first


def test_functions_before_the_last_layer_and_gates_change_nothing(images):
    class Early(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(torch.randn(3, 3, 3, 3))
            self.last = nn.Conv2d(3, 3, 3)

        def forward(self, x):
            y = self.last(nn.functional.conv2d(x, self.kernel))
            gate = nn.functional.conv2d(y.mean((2, 3), keepdim=True), self.kernel[..., :1, :1])
            return (y * gate.sigmoid()).mean((2, 3))

    model = Early()
    assert default_layer(model, images) is model.last
