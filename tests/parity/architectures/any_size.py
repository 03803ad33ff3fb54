"""Models of pictures for any height and width."""

from __future__ import annotations

import kit
from tests.parity.architectures.registry import built, hf, member, pictures
from tests.parity.architectures.vision import STAGES


@member
def segformer_any_size() -> kit.Recipe:
    config = hf.SegformerConfig(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], decoder_hidden_size=16)
    return pictures(
        built(hf.SegformerForImageClassification, config), 32, ((64, 96), (32, 32), (96, 64), (50, 47))
    )


@member
def resnet_any_size() -> kit.Recipe:
    config = hf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return pictures(
        built(hf.ResNetForImageClassification, config), 32, ((64, 96), (32, 32), (96, 64), (50, 47))
    )


@member
def mobilenet_v2_any_size() -> kit.Recipe:
    config = hf.MobileNetV2Config(image_size=32, depth_multiplier=0.25)
    return pictures(
        built(hf.MobileNetV2ForImageClassification, config), 32, ((64, 96), (32, 32), (96, 64), (50, 47))
    )


@member
def mobilevit_any_size() -> kit.Recipe:
    config = hf.MobileViTConfig(
        image_size=32, hidden_sizes=[16, 20, 24], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32]
    )
    return pictures(
        built(hf.MobileViTForImageClassification, config), 32, ((64, 96), (32, 32), (96, 64), (50, 47))
    )


@member
def swin_any_size() -> kit.Recipe:
    model = built(hf.SwinForImageClassification, hf.SwinConfig(image_size=32, patch_size=2, **STAGES))
    return pictures(model, 32, ((32, 48), (32, 32), (48, 32), (50, 47)))
