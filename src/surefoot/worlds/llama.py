"""A Llama of random weights, small enough to be trained from scratch beside the world that it learns."""

from __future__ import annotations

from typing import Any


def random_llama(
    seed: int, *, vocabulary: int, width: int, layers: int, heads: int = 4, inner: int = 4, context: int = 128
) -> Any:
    """The same weights for the same seed, whatever was drawn before. Ids 0, 1, 2 pad, begin and end a text.

    `inner` is the width of the feed-forward layers in widths of the model.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=context,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
