"""Decoders of text of the GPT kind, called with tokens and their mask, without a cache."""

from __future__ import annotations

import kit
from tests.parity.architectures.decoders import SMALL, TOKENS
from tests.parity.architectures.registry import built, hf, member, text

OF_GPT = {**TOKENS, "n_positions": 80, "n_embd": 32, "n_layer": 2, "n_head": 4}


@member
def gpt2() -> kit.Recipe:
    return text(built(hf.GPT2LMHeadModel, hf.GPT2Config(**OF_GPT)))


@member
def gpt2_without_mask() -> kit.Recipe:
    return text(built(hf.GPT2LMHeadModel, hf.GPT2Config(**OF_GPT)), mask=False)


@member
def gpt2_eager() -> kit.Recipe:
    return text(built(hf.GPT2Model, hf.GPT2Config(**OF_GPT, attn_implementation="eager")))


@member
def gpt_neo() -> kit.Recipe:
    config = hf.GPTNeoConfig(
        **TOKENS,
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=8,
        max_position_embeddings=80,
    )
    return text(built(hf.GPTNeoForCausalLM, config))


@member
def gpt_neox() -> kit.Recipe:
    return text(built(hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(**SMALL)))


@member
def gptj() -> kit.Recipe:
    return text(built(hf.GPTJForCausalLM, hf.GPTJConfig(**OF_GPT, rotary_dim=4)))


@member
def codegen() -> kit.Recipe:
    return text(built(hf.CodeGenForCausalLM, hf.CodeGenConfig(**OF_GPT, rotary_dim=4)))


@member
def opt() -> kit.Recipe:
    config = hf.OPTConfig(
        **{key: SMALL[key] for key in SMALL if key != "intermediate_size"}, ffn_dim=64, word_embed_proj_dim=32
    )
    return text(built(hf.OPTForCausalLM, config))


@member
def bloom() -> kit.Recipe:
    return text(built(hf.BloomForCausalLM, hf.BloomConfig(**TOKENS, hidden_size=32, n_layer=2, n_head=4)))


@member
def falcon() -> kit.Recipe:
    config = hf.FalconConfig(**TOKENS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    return text(built(hf.FalconForCausalLM, config))


@member
def mpt() -> kit.Recipe:
    config = hf.MptConfig(**TOKENS, d_model=32, n_layers=2, n_heads=4, max_seq_len=80, expansion_ratio=2)
    return text(built(hf.MptForCausalLM, config))
