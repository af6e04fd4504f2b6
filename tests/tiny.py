"""Tiny random models with a byte-level tokenizer, built in memory: fast oracles for the real code path.

SUREFOOT_TEST_DEVICE=cuda runs the same oracles on a GPU.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from surefoot.models.base import ModelCard
from surefoot.models.causal import CausalModel
from surefoot.models.seq2seq import Seq2SeqModel
from surefoot.text.formats import ChatFormat, PlainFormat, PromptEncoder

CHAT = (
    "{% for m in messages %}{{ '<s>' if loop.first else '' }}[{{ m['role'] }}]{{ m['content'] }}</s>{% endfor %}[bot]"
)


def tokenizer(bos: bool = True, eos: bool = False) -> PreTrainedTokenizerFast:
    """Bytes as tokens, plus <s>, </s>, <pad> and a few merged words so that labels differ in length."""
    vocabulary = {"<s>": 0, "</s>": 1, "<pad>": 2}
    for token in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[token] = len(vocabulary)
    merges = [("y", "e"), ("ye", "s"), ("n", "o")]
    for a, b in merges:
        vocabulary[a + b] = len(vocabulary)
    core = Tokenizer(models.BPE(vocabulary, merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    pattern = f"{'<s> ' if bos else ''}$A{' </s>' if eos else ''}"
    core.post_processor = TemplateProcessing(single=pattern, special_tokens=[("<s>", 0), ("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=CHAT
    )


def _seeded(build: Any, config: Any) -> Any:
    torch.manual_seed(0)
    model = build(config).eval()
    for parameter in model.parameters():  # random initialisation is nearly uniform; make it opinionated
        parameter.data.mul_(4.0)
    return model.to(os.environ.get("SUREFOOT_TEST_DEVICE", "cpu"))


@cache
def llama_weights(layers: int = 2) -> Any:
    config = LlamaConfig(
        vocab_size=270,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    return _seeded(LlamaForCausalLM, config)


@cache
def gpt2_weights() -> Any:
    config = GPT2Config(
        vocab_size=270, n_positions=256, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=1, pad_token_id=2
    )
    return _seeded(GPT2LMHeadModel, config)


@cache
def t5_weights() -> Any:
    config = T5Config(
        vocab_size=270,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=2,
        eos_token_id=1,
        pad_token_id=2,
        is_encoder_decoder=True,
    )
    return _seeded(T5ForConditionalGeneration, config)


def causal(weights: Any = None, *, chat: bool = False, **options: Any) -> CausalModel:
    words = tokenizer()
    encoder = PromptEncoder(words, ChatFormat(words) if chat else PlainFormat())
    return CausalModel(weights or llama_weights(), encoder, ModelCard("tiny", "0"), **options)


def t5(**options: Any) -> Seq2SeqModel:
    encoder = PromptEncoder(tokenizer(bos=False, eos=True), PlainFormat(), fork=False)
    return Seq2SeqModel(t5_weights(), encoder, ModelCard("tiny-t5", "0"), **options)
