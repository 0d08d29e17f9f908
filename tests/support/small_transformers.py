"""Transformers of timm in a size that takes milliseconds, with weights of some strength."""

import torch
from timm.models.convnext import ConvNeXt
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.maxxvit import MaxxVit, MaxxVitCfg, MaxxVitConvCfg, MaxxVitTransformerCfg
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torch import nn

SIDE_PX = 32
VIT = {
    "img_size": SIDE_PX, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2,
    "num_classes": 3,
}  # fmt: skip


def vit():
    return VisionTransformer(**VIT)


def deit_with_distillation():
    return VisionTransformerDistilled(**VIT)


def dinov2_with_registers():
    return VisionTransformer(**VIT, reg_tokens=4, no_embed_class=True, init_values=0.1)


def dinov3_with_rope():
    return Eva(
        **VIT, num_reg_tokens=4, use_abs_pos_emb=False, use_rot_pos_emb=True, rope_type="dinov3",
        rope_temperature=100, use_pre_transformer_norm=False, init_values=0.1,
        qkv_bias=False, norm_layer=nn.LayerNorm,
    )  # fmt: skip


def eva_with_gates():
    return Eva(**VIT, use_rot_pos_emb=True, swiglu_mlp=True, mlp_ratio=2)


def swin():
    return SwinTransformer(
        img_size=SIDE_PX, patch_size=4, embed_dim=12, depths=(2, 2), num_heads=(2, 3),
        window_size=4, num_classes=3,
    )  # fmt: skip


def convnext_v1():
    return ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), num_classes=3)


def convnext_v2():
    return ConvNeXt(
        depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), num_classes=3, use_grn=True, ls_init_value=None
    )


def maxvit():
    conv = MaxxVitConvCfg(stride_mode="pool", pre_norm_act=False, act_layer="silu")
    transformer = MaxxVitTransformerCfg(dim_head=4, window_size=(4, 4), rel_pos_type="bias")
    cfg = MaxxVitCfg(
        embed_dim=(8, 16), depths=(1, 1), block_type=("M", "M"), stem_width=8, conv_cfg=conv,
        transformer_cfg=transformer, head_hidden_size=None,
    )  # fmt: skip
    return MaxxVit(cfg, img_size=SIDE_PX, num_classes=3)


TRANSFORMERS = [
    vit, deit_with_distillation, dinov2_with_registers, dinov3_with_rope, eva_with_gates, swin,
    convnext_v1, convnext_v2, maxvit,
]  # fmt: skip


def small_transformer(build, seed=0, strength=0.25):
    """The network in double precision; strong weights make attention sharp, as training does."""
    torch.manual_seed(seed)
    model = build().double().eval()
    for name, parameter in model.named_parameters():
        if not name.endswith("norm.weight") and parameter.dim() < 4:
            is_gain = name.endswith("weight") and parameter.dim() == 1
            nn.init.normal_(parameter, float(is_gain), strength)
    return model
