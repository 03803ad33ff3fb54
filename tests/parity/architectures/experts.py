"""Decoders of text that choose some of their experts for each token."""

from __future__ import annotations

import kit
from tests.parity.architectures.decoders import GROUPED, SMALL
from tests.parity.architectures.registry import built, hf, member, text


@member
def mixtral() -> kit.Recipe:
    config = hf.MixtralConfig(**GROUPED, num_local_experts=4, num_experts_per_tok=2)
    return text(built(hf.MixtralForCausalLM, config))


@member
def qwen3_moe() -> kit.Recipe:
    config = hf.Qwen3MoeConfig(
        **GROUPED, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16
    )
    return text(built(hf.Qwen3MoeForCausalLM, config))


@member
def gpt_oss() -> kit.Recipe:
    config = hf.GptOssConfig(
        **GROUPED,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
    )
    return text(built(hf.GptOssForCausalLM, config))


@member
def deepseek_v3() -> kit.Recipe:
    config = hf.DeepseekV3Config(
        **SMALL,
        num_key_value_heads=4,
        moe_intermediate_size=16,
        n_shared_experts=1,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        kv_lora_rank=16,
        q_lora_rank=16,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
    )
    return text(built(hf.DeepseekV3ForCausalLM, config))
