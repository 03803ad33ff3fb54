"""Models that find objects, segments or depth in pictures of one size."""

from __future__ import annotations

import kit
from tests.parity.architectures.registry import built, hf, images, member
from tests.parity.architectures.vision import SMALL


@member
def segformer() -> kit.Recipe:
    config = hf.SegformerConfig(hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], decoder_hidden_size=16)
    return images(built(hf.SegformerForSemanticSegmentation, config), 64)


@member
def dpt() -> kit.Recipe:
    config = hf.DPTConfig(
        **{**SMALL, "num_hidden_layers": 4},
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    return images(built(hf.DPTForDepthEstimation, config))


@member
def depth_anything() -> kit.Recipe:
    backbone = hf.Dinov2Config(
        **{**SMALL, "num_hidden_layers": 4},
        mlp_ratio=2,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = hf.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=8,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
    )
    return images(built(hf.DepthAnythingForDepthEstimation, config))


@member
def yolos() -> kit.Recipe:
    config = hf.YolosConfig(**{**SMALL, "image_size": [32, 32]}, num_detection_tokens=5)
    return images(built(hf.YolosForObjectDetection, config))


@member
def detr() -> kit.Recipe:
    backbone = hf.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )
    config = hf.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        num_queries=5,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
    )
    return images(built(hf.DetrForObjectDetection, config), 64)


@member
def rt_detr() -> kit.Recipe:
    backbone = hf.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_indices=[2, 3, 4],
    )
    config = hf.RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 16, 32],
        encoder_ffn_dim=64,
        encoder_attention_heads=4,
        d_model=32,
        num_queries=5,
        decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=64,
        decoder_layers=2,
        decoder_attention_heads=4,
    )
    return images(built(hf.RTDetrForObjectDetection, config), 64)


@member
def mask2former() -> kit.Recipe:
    backbone = hf.SwinConfig(
        image_size=64,
        patch_size=2,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[2, 2, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = hf.Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=2,
        decoder_layers=2,
        num_attention_heads=4,
        dim_feedforward=32,
        num_queries=5,
    )
    return images(built(hf.Mask2FormerForUniversalSegmentation, config), 64)


@member
def upernet() -> kit.Recipe:
    backbone = hf.ConvNextConfig(
        hidden_sizes=[8, 16, 32, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = hf.UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_in_channels=32, auxiliary_channels=16
    )
    return images(built(hf.UperNetForSemanticSegmentation, config), 64)
