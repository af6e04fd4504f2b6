"""A small decoder from scratch for questions of a world: byte pairs learnt from them and random weights.

It can learn to decompose in minutes on one core, because it has nothing else to know: names are spelled in pieces, so
that one that it never met can be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.probes.implicit_reasoning.decomposer import decomposition_prompt
from surefoot.questions.question import Question
from surefoot.worlds.llama import random_llama

if TYPE_CHECKING:
    from surefoot.models.causal import CausalModel

SPECIAL = ("<pad>", "<s>", "</s>")
CONTEXT = 320


@dataclass(frozen=True)
class ScratchShape:
    """Size of the vocabulary (bytes, merged pairs and three special tokens), width, depth and heads."""

    vocabulary: int = 440
    width: int = 96
    layers: int = 2
    heads: int = 4


def scratch_model(questions: Sequence[Question], shape: ScratchShape | None = None, seed: int = 0) -> CausalModel:
    """A model whose tokenizer is learnt from these questions and their steps, and whose weights are random."""
    from surefoot.models.base import ModelCard
    from surefoot.models.causal import CausalModel
    from surefoot.text.formats import PlainFormat, PromptEncoder

    shape = shape or ScratchShape()
    words = _tokenizer(questions, shape.vocabulary)
    card = ModelCard("scratch", f"{shape}/{seed}", dtype="float32", device="cpu", format="plain", format_digest="plain")
    weights = random_llama(
        seed,
        vocabulary=len(words),
        width=shape.width,
        layers=shape.layers,
        heads=shape.heads,
        inner=2,
        context=CONTEXT,
    )
    return CausalModel(weights, PromptEncoder(words, PlainFormat()), card)


def _tokenizer(questions: Sequence[Question], size: int) -> Any:
    """Byte pairs with single digits; no merge crosses a word, so that a name has the same tokens wherever it stands."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    texts = ["\n".join((decomposition_prompt(q.text).text, *(step.text for step in q.steps))) for q in questions]
    trainer = trainers.BpeTrainer(
        vocab_size=max(size, len(alphabet) + len(SPECIAL)),
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
