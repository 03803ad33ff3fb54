"""Convolutional models of pictures, for any number of pictures of one size."""

from __future__ import annotations

import kit
from tests.parity.architectures.registry import built, hf, images, member


@member
def convnext() -> kit.Recipe:
    config = hf.ConvNextConfig(hidden_sizes=[8, 16, 32, 32], depths=[1, 1, 1, 1])
    return images(built(hf.ConvNextForImageClassification, config))


@member
def convnextv2() -> kit.Recipe:
    config = hf.ConvNextV2Config(hidden_sizes=[8, 16, 32, 32], depths=[1, 1, 1, 1])
    return images(built(hf.ConvNextV2ForImageClassification, config))


@member
def resnet() -> kit.Recipe:
    config = hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return images(built(hf.ResNetForImageClassification, config))


@member
def regnet() -> kit.Recipe:
    config = hf.RegNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], groups_width=4)
    return images(built(hf.RegNetForImageClassification, config))


@member
def efficientnet() -> kit.Recipe:
    config = hf.EfficientNetConfig(
        image_size=32, width_coefficient=0.25, depth_coefficient=0.3, hidden_dim=320
    )
    return images(built(hf.EfficientNetForImageClassification, config))


@member
def mobilenet_v1() -> kit.Recipe:
    config = hf.MobileNetV1Config(image_size=32, depth_multiplier=0.25)
    return images(built(hf.MobileNetV1ForImageClassification, config))


@member
def mobilenet_v2() -> kit.Recipe:
    config = hf.MobileNetV2Config(image_size=32, depth_multiplier=0.25)
    return images(built(hf.MobileNetV2ForImageClassification, config))


@member
def mobilevit() -> kit.Recipe:
    config = hf.MobileViTConfig(
        image_size=32, hidden_sizes=[16, 20, 24], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32]
    )
    return images(built(hf.MobileViTForImageClassification, config))


@member
def poolformer() -> kit.Recipe:
    config = hf.PoolFormerConfig(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1])
    return images(built(hf.PoolFormerForImageClassification, config), 64)


@member
def focalnet() -> kit.Recipe:
    config = hf.FocalNetConfig(
        image_size=32,
        embed_dim=16,
        depths=[1, 1],
        hidden_sizes=[16, 32],
        focal_levels=[2, 2],
        focal_windows=[3, 3],
    )
    return images(built(hf.FocalNetForImageClassification, config))
