"""Decoders of text of the Llama kind, called with tokens and their mask, without a cache."""

from __future__ import annotations

from typing import Any

import kit
from tests.parity.architectures.registry import WORDS, built, hf, member, text

TOKENS: dict[str, Any] = {
    "vocab_size": WORDS,
    "use_cache": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SMALL: dict[str, Any] = {
    **TOKENS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}


@member
def llama() -> kit.Recipe:
    return text(built(hf.LlamaForCausalLM, hf.LlamaConfig(**GROUPED)))


@member
def llama_without_mask() -> kit.Recipe:
    return text(built(hf.LlamaForCausalLM, hf.LlamaConfig(**GROUPED)), mask=False)


@member
def llama_dynamic_rope() -> kit.Recipe:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    config = hf.LlamaConfig(**{**GROUPED, "max_position_embeddings": 16}, rope_parameters=rope)
    return text(built(hf.LlamaForCausalLM, config))


@member
def mistral() -> kit.Recipe:
    return text(built(hf.MistralForCausalLM, hf.MistralConfig(**GROUPED, sliding_window=8)))


@member
def qwen2() -> kit.Recipe:
    return text(built(hf.Qwen2ForCausalLM, hf.Qwen2Config(**GROUPED)))


@member
def qwen3() -> kit.Recipe:
    return text(built(hf.Qwen3ForCausalLM, hf.Qwen3Config(**GROUPED, head_dim=8)))


@member
def gemma() -> kit.Recipe:
    return text(built(hf.GemmaForCausalLM, hf.GemmaConfig(**GROUPED, head_dim=8)))


@member
def gemma2() -> kit.Recipe:
    return text(built(hf.Gemma2ForCausalLM, hf.Gemma2Config(**GROUPED, head_dim=8, sliding_window=8)))


@member
def gemma3() -> kit.Recipe:
    config = hf.Gemma3TextConfig(
        **GROUPED, head_dim=8, sliding_window=8, layer_types=["sliding_attention", "full_attention"]
    )
    return text(built(hf.Gemma3ForCausalLM, config))


@member
def phi() -> kit.Recipe:
    return text(built(hf.PhiForCausalLM, hf.PhiConfig(**GROUPED)))


@member
def phi3() -> kit.Recipe:
    return text(built(hf.Phi3ForCausalLM, hf.Phi3Config(**GROUPED)))


@member
def stablelm() -> kit.Recipe:
    return text(built(hf.StableLmForCausalLM, hf.StableLmConfig(**GROUPED)))


@member
def olmo2() -> kit.Recipe:
    return text(built(hf.Olmo2ForCausalLM, hf.Olmo2Config(**GROUPED)))


@member
def cohere() -> kit.Recipe:
    return text(built(hf.CohereForCausalLM, hf.CohereConfig(**GROUPED)))


@member
def granite() -> kit.Recipe:
    return text(built(hf.GraniteForCausalLM, hf.GraniteConfig(**GROUPED)))


@member
def starcoder2() -> kit.Recipe:
    return text(built(hf.Starcoder2ForCausalLM, hf.Starcoder2Config(**GROUPED)))
