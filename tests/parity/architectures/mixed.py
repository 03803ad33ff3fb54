"""Models of text and pictures, and of time series."""

from __future__ import annotations

from typing import Any

import torch

import kit
from tests.parity.architectures.registry import (
    BATCH,
    LENGTH,
    SIZES,
    WORDS,
    built,
    hf,
    images,
    member,
    padding,
    text,
    with_cases,
    words,
)

TEXT: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
}
IDS = {"eos_token_id": 98, "bos_token_id": 1, "pad_token_id": 0}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}


@member
def clip_text() -> kit.Recipe:
    return text(built(hf.CLIPTextModel, hf.CLIPTextConfig(**TEXT, **IDS)))


@member
def clip_vision() -> kit.Recipe:
    return images(built(hf.CLIPVisionModel, hf.CLIPVisionConfig(**VISION)))


@member
def clip() -> kit.Recipe:
    config = hf.CLIPConfig(text_config={**TEXT, **IDS}, vision_config=VISION, projection_dim=16)
    pictures = kit.Dim("pictures", 1, 8)
    cases = [
        {
            "input_ids": words(*size),
            "pixel_values": torch.randn(count, 3, 32, 32),
            "attention_mask": padding(*size),
        }
        for size, count in zip(SIZES, (3, 2, 1, 4), strict=True)
    ]
    both = {0: BATCH, 1: LENGTH}
    return with_cases(
        built(hf.CLIPModel, config),
        cases,
        {"input_ids": both, "pixel_values": {0: pictures}, "attention_mask": both},
    )


@member
def siglip() -> kit.Recipe:
    config = hf.SiglipConfig(text_config={**TEXT, **IDS, "projection_size": 32}, vision_config=VISION)
    pictures = kit.Dim("pictures", 1, 8)
    cases = [
        {"input_ids": words(*size), "pixel_values": torch.randn(count, 3, 32, 32)}
        for size, count in zip(SIZES, (3, 2, 1, 4), strict=True)
    ]
    return with_cases(
        built(hf.SiglipModel, config),
        cases,
        {"input_ids": {0: BATCH, 1: LENGTH}, "pixel_values": {0: pictures}},
    )


@member
def vilt() -> kit.Recipe:
    config = hf.ViltConfig(**TEXT, image_size=32, patch_size=8)
    cases = [
        {
            "input_ids": words(*size),
            "attention_mask": padding(*size),
            "pixel_values": torch.randn(size[0], 3, 32, 32),
        }
        for size in SIZES
    ]
    both = {0: BATCH, 1: LENGTH}
    return with_cases(
        built(hf.ViltModel, config),
        cases,
        {"input_ids": both, "attention_mask": both, "pixel_values": {0: BATCH}},
    )


@member
def blip() -> kit.Recipe:
    config = hf.BlipConfig(
        text_config={**TEXT, **IDS, "encoder_hidden_size": 32, "projection_dim": 16, "is_decoder": True},
        vision_config={**VISION, "projection_dim": 16},
        projection_dim=16,
        image_text_hidden_size=16,
    )
    cases = [
        {
            "input_ids": words(*size),
            "pixel_values": torch.randn(size[0], 3, 32, 32),
            "attention_mask": padding(*size),
        }
        for size in SIZES
    ]
    both = {0: BATCH, 1: LENGTH}
    return with_cases(
        built(hf.BlipForImageTextRetrieval, config),
        cases,
        {"input_ids": both, "pixel_values": {0: BATCH}, "attention_mask": both},
    )


@member
def patchtst() -> kit.Recipe:
    config = hf.PatchTSTConfig(
        num_input_channels=3,
        context_length=32,
        patch_length=8,
        patch_stride=8,
        d_model=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=64,
        prediction_length=6,
    )
    cases = [{"past_values": torch.randn(batch, 32, 3)} for batch in (2, 1, 3, 5)]
    return with_cases(built(hf.PatchTSTForPrediction, config), cases, {"past_values": {0: BATCH}})
