"""Canaries: strings planted in a training text, each a known number of times, and a tiny model that is trained on it.

How much of a canary a model reproduces must rise with its repetitions and be at chance for those that were left out.
Source of the idea: Carlini et al. 2019 (USENIX Security), The Secret Sharer; repetitions: Lee et al. 2022 (ACL).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.memorisation.works import Work
from surefoot.worlds.llama import random_llama

if TYPE_CHECKING:
    from surefoot.models.causal import CausalModel

REPETITIONS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
TITLE = "called"  # stands before a title in the training text


@dataclass(frozen=True)
class CanaryWorld:
    """`each` canaries of `words` words for every number of `repetitions`, and `background` other texts, once each.

    All words are drawn from one vocabulary, so that nothing but the training text tells a canary from another text.
    With `titled`, a canary stands behind its title wherever it is repeated.
    """

    seed: int = 0
    repetitions: tuple[int, ...] = REPETITIONS
    each: int = 3
    words: int = 40
    vocabulary: int = 400
    background: int = 500
    titled: bool = True

    def __post_init__(self) -> None:
        if min(self.repetitions, default=-1) < 0 or self.each < 1:
            raise BadInput(f"{self.each} canaries repeated {self.repetitions} times cannot be planted; give counts.")

    @cached_property
    def canaries(self) -> tuple[Work, ...]:
        """The canaries as works; how often each is repeated stands under `popularity`."""
        rng = random.Random(f"canaries {self.seed}")
        found = []
        for number, (times, _) in enumerate((r, k) for r in self.repetitions for k in range(self.each)):
            group = "unseen" if times == 0 else "planted"
            text, popularity = self._text(rng), {"repetitions": float(times)}
            found.append(Work(f"canary-{number}", f"t{number}", text, "Apache-2.0", "made up", "", group, popularity))
        return tuple(found)

    @cached_property
    def training(self) -> tuple[str, ...]:
        """All training texts in a random order."""
        rng = random.Random(f"background {self.seed}")
        texts = [self._text(rng) for _ in range(self.background)]
        for canary in self.canaries:
            title = f"{TITLE} {canary.title} " if self.titled else ""
            texts += [f"{title}{canary.text}"] * int(canary.popularity["repetitions"])
        rng.shuffle(texts)
        return tuple(texts)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All words that there are."""
        return (*SPECIAL, TITLE, *(canary.title for canary in self.canaries), *self._names)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(f"w{k}" for k in range(self.vocabulary))

    def _text(self, rng: random.Random) -> str:
        return " ".join(rng.choices(self._names, k=self.words))


@dataclass(frozen=True)
class Learner:
    """A Llama of this width, trained over all texts `epochs` times in batches of `batch`, at `rate` with a cosine."""

    width: int = 64
    layers: int = 2
    epochs: int = 3
    batch: int = 16
    rate: float = 4e-3
    seed: int = 0


def tokenizer(symbols: Sequence[str]) -> Any:
    """One token a word; the beginning token stands in front of every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate(symbols)}
    core = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", ids["<s>"])])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def learn(world: CanaryWorld, learner: Learner | None = None, say: Callable[[str], None] | None = None) -> CausalModel:
    """A model trained on the world's texts by next-token prediction. Deterministic on one thread."""
    import torch

    from surefoot.models.base import ModelCard
    from surefoot.models.causal import CausalModel
    from surefoot.text.formats import PlainFormat, PromptEncoder
    from surefoot.worlds.tiny import digest

    learner = learner or Learner()
    words = tokenizer(world.symbols)
    weights = random_llama(
        learner.seed, vocabulary=len(world.symbols), width=learner.width, layers=learner.layers
    ).train()
    batches = list(_batches([words(text)["input_ids"] for text in world.training], learner))
    optimizer = torch.optim.AdamW(weights.parameters(), learner.rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learner.rate, len(batches), pct_start=0.1)
    for step, ids in enumerate(batches):
        loss = weights(input_ids=ids, labels=ids.masked_fill(ids == 0, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if say and (step + 1) % 50 == 0:
            say(f"step {step + 1} of {len(batches)}, loss {float(loss.detach()):.3f}")
    card = ModelCard("canaries", digest(weights), dtype="float32", device="cpu", format="plain", format_digest="plain")
    return CausalModel(weights.eval(), PromptEncoder(words, PlainFormat()), card)


def _batches(texts: Sequence[list[int]], learner: Learner) -> Iterator[Any]:
    """Batches of ids, padded on the right with 0; each epoch in an order of its own."""
    import torch

    for epoch in range(learner.epochs):
        order = random.Random(f"{learner.seed} {epoch}").sample(range(len(texts)), len(texts))
        for start in range(0, len(order), learner.batch):
            rows = [texts[place] for place in order[start : start + learner.batch]]
            width = max(map(len, rows))
            yield torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
