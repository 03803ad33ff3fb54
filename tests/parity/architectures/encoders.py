"""Encoders of text, called with tokens and their mask."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
    text,
    with_cases,
    words,
)

SMALL: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
}
EMBEDDED = {**SMALL, "embedding_size": 16}


@member
def bert() -> kit.Recipe:
    return text(built(hf.BertModel, hf.BertConfig(**SMALL)))


@member
def bert_without_mask() -> kit.Recipe:
    return text(built(hf.BertForSequenceClassification, hf.BertConfig(**SMALL)), mask=False)


@member
def bert_eager() -> kit.Recipe:
    return text(built(hf.BertForMaskedLM, hf.BertConfig(**SMALL, attn_implementation="eager")))


@member
def distilbert() -> kit.Recipe:
    config = hf.DistilBertConfig(
        vocab_size=WORDS, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=80
    )
    return text(built(hf.DistilBertForSequenceClassification, config))


@member
def roberta() -> kit.Recipe:
    return text(built(hf.RobertaModel, hf.RobertaConfig(**SMALL)))


@member
def xlm_roberta() -> kit.Recipe:
    return text(built(hf.XLMRobertaForTokenClassification, hf.XLMRobertaConfig(**SMALL)))


@member
def albert() -> kit.Recipe:
    return text(built(hf.AlbertModel, hf.AlbertConfig(**EMBEDDED)))


@member
def electra() -> kit.Recipe:
    return text(built(hf.ElectraForPreTraining, hf.ElectraConfig(**EMBEDDED)))


@member
def deberta() -> kit.Recipe:
    config = hf.DebertaConfig(
        **SMALL, relative_attention=True, pos_att_type=["c2p", "p2c"], position_biased_input=False
    )
    return text(built(hf.DebertaModel, config))


@member
def deberta_v2() -> kit.Recipe:
    config = hf.DebertaV2Config(
        **SMALL,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
    )
    return text(built(hf.DebertaV2Model, config))


@member
def mpnet() -> kit.Recipe:
    return text(built(hf.MPNetModel, hf.MPNetConfig(**SMALL)))


@member
def modernbert() -> kit.Recipe:
    config = hf.ModernBertConfig(**SMALL, pad_token_id=0, global_attn_every_n_layers=2, local_attention=8)
    return text(built(hf.ModernBertModel, config))


@member
def esm() -> kit.Recipe:
    config = hf.EsmConfig(**SMALL, pad_token_id=1, mask_token_id=4, position_embedding_type="rotary")
    return text(built(hf.EsmModel, config))


@member
def convbert() -> kit.Recipe:
    return text(built(hf.ConvBertModel, hf.ConvBertConfig(**EMBEDDED)))


@member
def squeezebert() -> kit.Recipe:
    return text(built(hf.SqueezeBertModel, hf.SqueezeBertConfig(**SMALL, embedding_size=32)))


@member
def mobilebert() -> kit.Recipe:
    config = hf.MobileBertConfig(**EMBEDDED, intra_bottleneck_size=16)
    return text(built(hf.MobileBertModel, config))


@member
def fnet() -> kit.Recipe:
    config = hf.FNetConfig(**{key: SMALL[key] for key in SMALL if key != "num_attention_heads"})
    return text(built(hf.FNetModel, config), mask=False)


@member
def xlnet() -> kit.Recipe:
    config = hf.XLNetConfig(vocab_size=WORDS, d_model=32, n_layer=2, n_head=4, d_inner=64)
    return text(built(hf.XLNetModel, config))


@member
def funnel() -> kit.Recipe:
    config = hf.FunnelConfig(
        vocab_size=WORDS, block_sizes=[1, 1], num_decoder_layers=1, d_model=32, n_head=4, d_head=8, d_inner=64
    )
    return text(built(hf.FunnelModel, config), sizes=((2, 7), (1, 5), (3, 12), (5, 33)))


@member
def longformer() -> kit.Recipe:
    return text(built(hf.LongformerModel, hf.LongformerConfig(**SMALL, attention_window=8)))


@member
def big_bird() -> kit.Recipe:
    return text(built(hf.BigBirdModel, hf.BigBirdConfig(**SMALL, attention_type="original_full")))


@member
def layoutlm() -> kit.Recipe:
    config = hf.LayoutLMConfig(**SMALL, max_2d_position_embeddings=64)

    def inputs(batch: int, length: int) -> dict[str, Tensor]:
        corner = torch.randint(0, 32, (batch, length, 2))
        box = torch.cat([corner, corner + torch.randint(0, 31, (batch, length, 2))], dim=-1)
        return {"input_ids": words(batch, length), "bbox": box, "attention_mask": padding(batch, length)}

    dynamic = {name: {0: BATCH, 1: LENGTH} for name in ("input_ids", "bbox", "attention_mask")}
    return with_cases(built(hf.LayoutLMModel, config), [inputs(*size) for size in SIZES], dynamic)


@member
def t5_encoder() -> kit.Recipe:
    config = hf.T5Config(vocab_size=WORDS, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    return text(built(hf.T5EncoderModel, config))
