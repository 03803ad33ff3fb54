"""Models of text with a state instead of attention, called with tokens alone."""

from __future__ import annotations

import kit
from tests.parity.architectures.decoders import TOKENS
from tests.parity.architectures.registry import built, hf, member, text


@member
def mamba() -> kit.Recipe:
    config = hf.MambaConfig(**TOKENS, hidden_size=32, state_size=8, num_hidden_layers=2)
    return text(built(hf.MambaForCausalLM, config), mask=False)


@member
def mamba2() -> kit.Recipe:
    config = hf.Mamba2Config(
        **TOKENS,
        hidden_size=32,
        state_size=8,
        num_hidden_layers=2,
        head_dim=16,
        num_heads=4,
        n_groups=1,
        chunk_size=8,
    )
    return text(built(hf.Mamba2ForCausalLM, config), mask=False)


@member
def rwkv() -> kit.Recipe:
    config = hf.RwkvConfig(
        **TOKENS, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32, context_length=80
    )
    return text(built(hf.RwkvForCausalLM, config), mask=False)
