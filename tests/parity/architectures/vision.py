"""Transformers of pictures and films, for any number of pictures of one size."""

from __future__ import annotations

from typing import Any

import torch

import kit
from tests.parity.architectures.registry import BATCH, built, hf, images, member, with_cases

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
STAGES: dict[str, Any] = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}


@member
def vit() -> kit.Recipe:
    return images(built(hf.ViTForImageClassification, hf.ViTConfig(**SMALL)))


@member
def deit() -> kit.Recipe:
    return images(built(hf.DeiTForImageClassificationWithTeacher, hf.DeiTConfig(**SMALL)))


@member
def beit() -> kit.Recipe:
    config = hf.BeitConfig(**SMALL, use_relative_position_bias=True, out_indices=[1, 2])
    return images(built(hf.BeitForImageClassification, config))


@member
def dinov2() -> kit.Recipe:
    return images(built(hf.Dinov2Model, hf.Dinov2Config(**{**SMALL, "patch_size": 8}, mlp_ratio=2)))


@member
def dinov3_vit() -> kit.Recipe:
    return images(built(hf.DINOv3ViTModel, hf.DINOv3ViTConfig(**SMALL)))


@member
def swin() -> kit.Recipe:
    return images(built(hf.SwinForImageClassification, hf.SwinConfig(image_size=32, patch_size=2, **STAGES)))


@member
def swinv2() -> kit.Recipe:
    return images(
        built(hf.Swinv2ForImageClassification, hf.Swinv2Config(image_size=32, patch_size=2, **STAGES))
    )


@member
def pvt_v2() -> kit.Recipe:
    config = hf.PvtV2Config(
        hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 2, 4]
    )
    return images(built(hf.PvtV2ForImageClassification, config), 64)


@member
def cvt() -> kit.Recipe:
    config = hf.CvtConfig(
        embed_dim=[8, 16, 32], num_heads=[1, 2, 4], depth=[1, 2, 3], drop_path_rate=[0.0, 0.0, 0.0]
    )
    return images(built(hf.CvtForImageClassification, config), 64)


@member
def levit() -> kit.Recipe:
    config = hf.LevitConfig(
        image_size=64,
        hidden_sizes=[16, 32, 48],
        num_attention_heads=[2, 2, 3],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
    )
    return images(built(hf.LevitForImageClassification, config), 64)


@member
def hiera() -> kit.Recipe:
    config = hf.HieraConfig(
        embed_dim=16, image_size=[64, 64], depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], mlp_ratio=2.0
    )
    return images(built(hf.HieraForImageClassification, config), 64)


@member
def videomae() -> kit.Recipe:
    config = hf.VideoMAEConfig(**SMALL, num_frames=4)
    cases = [{"pixel_values": torch.randn(batch, 4, 3, 32, 32)} for batch in (2, 1, 3, 5)]
    return with_cases(built(hf.VideoMAEForVideoClassification, config), cases, {"pixel_values": {0: BATCH}})


@member
def timesformer() -> kit.Recipe:
    config = hf.TimesformerConfig(**SMALL, num_frames=4)
    cases = [{"pixel_values": torch.randn(batch, 4, 3, 32, 32)} for batch in (2, 1, 3, 5)]
    return with_cases(
        built(hf.TimesformerForVideoClassification, config), cases, {"pixel_values": {0: BATCH}}
    )
