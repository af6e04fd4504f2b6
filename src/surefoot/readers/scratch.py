"""A tiny encoder from scratch: whole words as tokens, a BERT of random weights, for tests and worlds of few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.readers.pairs import PairEncoder

MARKS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")


def scratch_encoder(
    texts: Iterable[str], *, width: int = 32, layers: int = 2, heads: int = 2, max_tokens: int = 64, seed: int = 0
) -> PairEncoder:
    """An encoder whose vocabulary is the words and signs of these texts, in small letters; a function of its seed."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from surefoot.readers.pairs import PairEncoder

    split, lower = pre_tokenizers.BertPreTokenizer(), normalizers.Lowercase()
    words = {word for text in texts for word, _ in split.pre_tokenize_str(lower.normalize_str(text))}
    ids = {word: place for place, word in enumerate((*MARKS, *sorted(words)))}
    core = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = lower, split
    core.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    config = BertConfig(
        vocab_size=len(ids),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=max_tokens,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights: Any = BertModel(config)
    return PairEncoder(weights.eval(), tokenizer, max_tokens, "scratch")
