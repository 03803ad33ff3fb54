"""Encoders and decoders together, called with the tokens of both."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

import kit
from tests.parity.architectures.registry import (
    BATCH,
    LENGTH,
    SIZES,
    WORDS,
    built,
    hf,
    member,
    padding,
    with_cases,
    words,
)

WRITTEN = kit.Dim("written", 1, 64)
SMALL: dict[str, Any] = {
    "vocab_size": WORDS,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 80,
    "use_cache": False,
}
OF_T5: dict[str, Any] = {
    "vocab_size": WORDS,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "use_cache": False,
    "decoder_start_token_id": 0,
}


def pair(model: nn.Module) -> kit.Recipe:
    """Tokens to read, their mask, and tokens written so far, of a length of their own."""

    def inputs(batch: int, length: int, written: int) -> dict[str, Tensor]:
        return {
            "input_ids": words(batch, length),
            "attention_mask": padding(batch, length),
            "decoder_input_ids": words(batch, written),
        }

    read = {0: BATCH, 1: LENGTH}
    cases = [inputs(*size, written) for size, written in zip(SIZES, (5, 2, 1, 21), strict=True)]
    dynamic = {"input_ids": read, "attention_mask": read, "decoder_input_ids": {0: BATCH, 1: WRITTEN}}
    return with_cases(model, cases, dynamic)


@member
def bart() -> kit.Recipe:
    return pair(built(hf.BartForConditionalGeneration, hf.BartConfig(**SMALL)))


@member
def mbart() -> kit.Recipe:
    return pair(built(hf.MBartForConditionalGeneration, hf.MBartConfig(**SMALL)))


@member
def marian() -> kit.Recipe:
    return pair(
        built(
            hf.MarianMTModel,
            hf.MarianConfig(
                **SMALL, pad_token_id=0, decoder_start_token_id=0, eos_token_id=0, forced_eos_token_id=0
            ),
        )
    )


@member
def pegasus() -> kit.Recipe:
    return pair(built(hf.PegasusForConditionalGeneration, hf.PegasusConfig(**SMALL)))


@member
def m2m_100() -> kit.Recipe:
    return pair(built(hf.M2M100ForConditionalGeneration, hf.M2M100Config(**SMALL)))


@member
def blenderbot() -> kit.Recipe:
    return pair(built(hf.BlenderbotForConditionalGeneration, hf.BlenderbotConfig(**SMALL)))


@member
def t5() -> kit.Recipe:
    return pair(built(hf.T5ForConditionalGeneration, hf.T5Config(**OF_T5)))


@member
def mt5() -> kit.Recipe:
    return pair(built(hf.MT5ForConditionalGeneration, hf.MT5Config(**OF_T5)))


@member
def led() -> kit.Recipe:
    config = dict(SMALL)
    config.pop("max_position_embeddings")
    return pair(
        built(
            hf.LEDForConditionalGeneration,
            hf.LEDConfig(
                **config,
                attention_window=8,
                max_encoder_position_embeddings=80,
                max_decoder_position_embeddings=80,
            ),
        )
    )
