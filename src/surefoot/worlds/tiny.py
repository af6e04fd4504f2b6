"""A tiny language model for a world: whole words as tokens, a Llama of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.worlds.llama import random_llama
from surefoot.worlds.operations import DIGITS
from surefoot.worlds.wordings import vocabulary

if TYPE_CHECKING:
    from surefoot.models.causal import CausalModel

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
SIGNS = (":", "=", "of", "is")


@dataclass(frozen=True)
class Shape:
    """Width, depth and heads of the model; the default has 0.2 million parameters."""

    width: int = 64
    layers: int = 3
    heads: int = 4

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise BadInput(f"A width of {self.width} does not split into {self.heads} heads of even size.")

    @property
    def parameters(self) -> int:
        """How many numbers such a model has: both embeddings, and in each layer attention, feed-forward and norms."""
        layer = (4 + 3 * 4) * self.width**2 + 2 * self.width
        return 2 * vocabulary_size() * self.width + self.layers * layer + self.width


def vocabulary_size() -> int:
    """How many tokens there are."""
    return len(SPECIAL) + len(SIGNS) + len(DIGITS) + len(vocabulary())


def tokenizer() -> Any:
    """One token a word, digits and signs included; the beginning token stands in front of every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate((*SPECIAL, *SIGNS, *DIGITS, *vocabulary()))}
    core = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", ids["<s>"])])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def random_weights(seed: int, shape: Shape | None = None) -> Any:
    """A decoder with random weights: the same for the same seed, whatever was drawn before."""
    shape = shape or Shape()
    return random_llama(seed, vocabulary=vocabulary_size(), width=shape.width, layers=shape.layers, heads=shape.heads)


def language_model(weights: Any, name: str) -> CausalModel:
    """The weights as a model that probes can measure; its card holds their hash."""
    from surefoot.models.base import ModelCard
    from surefoot.models.causal import CausalModel
    from surefoot.text.formats import PlainFormat, PromptEncoder

    card = ModelCard(
        name,
        digest(weights),
        dtype="float32",
        device="cpu",
        format="plain",
        format_digest="plain",
        details={"parameters": weights.num_parameters(), "architecture": type(weights).__name__},
    )
    return CausalModel(weights, PromptEncoder(tokenizer(), PlainFormat()), card)


def digest(weights: Any) -> str:
    """A hash of every parameter."""
    import hashlib

    found = hashlib.sha256()
    for name, tensor in sorted(weights.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
