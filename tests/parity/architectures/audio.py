"""Models of sound: of samples, or of a spectrogram."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

import kit
from tests.parity.architectures.registry import BATCH, built, hf, member, with_cases, words

SAMPLES = kit.Dim("samples", 400, 16000)
WAVES: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 16),
    "conv_stride": (5, 4, 4),
    "conv_kernel": (10, 8, 4),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 3,
}
SPEECH: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "vocab_size": 99,
    "use_cache": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 3,
}


def waves(model: nn.Module) -> kit.Recipe:
    """Sound of one length: the number of frames that come out is no dim of the input, so it must be fixed."""
    cases = [{"input_values": torch.randn(batch, 1600)} for batch in (2, 1, 3, 5)]
    return with_cases(model, cases, {"input_values": {0: BATCH}})


@member
def wav2vec2() -> kit.Recipe:
    return waves(built(hf.Wav2Vec2ForCTC, hf.Wav2Vec2Config(**WAVES)))


@member
def wav2vec2_masked() -> kit.Recipe:
    def inputs(batch: int) -> dict[str, torch.Tensor]:
        counts = torch.randint(800, 1601, (batch, 1))
        counts[-1] = 1600
        mask = (torch.arange(1600) < counts).long()
        return {"input_values": torch.randn(batch, 1600) * mask, "attention_mask": mask}

    config = hf.Wav2Vec2Config(**WAVES, feat_extract_norm="layer", do_stable_layer_norm=True)
    cases = [inputs(batch) for batch in (2, 1, 3, 5)]
    return with_cases(
        built(hf.Wav2Vec2ForCTC, config), cases, {"input_values": {0: BATCH}, "attention_mask": {0: BATCH}}
    )


@member
def wav2vec2_any_length() -> kit.Recipe:
    model = built(hf.Wav2Vec2ForSequenceClassification, hf.Wav2Vec2Config(**WAVES))
    cases = [{"input_values": torch.randn(*size)} for size in ((2, 1600), (1, 400), (3, 2111))]
    return with_cases(model, cases, {"input_values": {0: BATCH, 1: SAMPLES}})


@member
def hubert() -> kit.Recipe:
    return waves(built(hf.HubertModel, hf.HubertConfig(**WAVES)))


@member
def wavlm() -> kit.Recipe:
    return waves(built(hf.WavLMModel, hf.WavLMConfig(**WAVES)))


@member
def whisper_encoder() -> kit.Recipe:
    config = hf.WhisperConfig(**SPEECH, num_mel_bins=16, max_source_positions=50, max_target_positions=40)
    cases = [{"input_features": torch.randn(batch, 16, 100)} for batch in (2, 1, 3, 5)]
    return with_cases(built(WhisperEncoder, config), cases, {"input_features": {0: BATCH}})


@member
def whisper() -> kit.Recipe:
    config = hf.WhisperConfig(**SPEECH, num_mel_bins=16, max_source_positions=50, max_target_positions=40)
    sizes = ((2, 7), (1, 1), (3, 12), (5, 33))
    cases = [
        {"input_features": torch.randn(batch, 16, 100), "decoder_input_ids": words(batch, length)}
        for batch, length in sizes
    ]
    dynamic = {"input_features": {0: BATCH}, "decoder_input_ids": {0: BATCH, 1: kit.Dim("written", 1, 40)}}
    return with_cases(built(hf.WhisperForConditionalGeneration, config), cases, dynamic)


@member
def audio_spectrogram_transformer() -> kit.Recipe:
    config = hf.ASTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_length=64,
        num_mel_bins=32,
    )
    cases = [{"input_values": torch.randn(batch, 64, 32)} for batch in (2, 1, 3, 5)]
    return with_cases(built(hf.ASTForAudioClassification, config), cases, {"input_values": {0: BATCH}})
