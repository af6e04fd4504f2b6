"""Interleaved retrieval: after each sentence of a chain of thought, the index is searched by that sentence.

    P = search(x, K);   repeat   s = first sentence of LM([demonstrations, P, x, s_1 .. s_t]),   P += search(s, K)

until a sentence carries the answer marker, nothing is written, or a limit is met. A reader may then answer from P in a
pass of its own. Needs `generate`; goes on with token ids where the model shows them, else with text at the end of the
prompt. Scoring and choosing read the documents that the loop found, as the reader without a chain of thought does.
Source: Trivedi et al. 2023 (ACL), arXiv:2212.10509. Relations: `rag` searches once; `flare` drafts a sentence first and
searches where it is unsure. Where the paper, its code and this differ: docs/ircot.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, ClassVar

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, nearest
from surefoot.models.base import Generation, LanguageModel
from surefoot.retrieval.retriever import Document
from surefoot.text.chains import MARKER
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.grounded import check_searching, refuse_whole_texts, with_trace
from surefoot.treatments.retrieval.ircot_loop import Found, Loop
from surefoot.treatments.retrieval.ircot_prompts import (
    demonstration_text,
    read_demonstrations,
    read_pinned,
    with_distractors,
)
from surefoot.treatments.retrieval.ircot_queries import QUERIES, Hygiene
from surefoot.treatments.retrieval.pool import TOGETHER
from surefoot.treatments.retrieval.together import Texts, Together, Writing
from surefoot.treatments.retrieval.writing import LOOK_AHEAD

RETRIEVALS = ("interleaved", "once", "never")
READERS = ("none", "direct", "cot")

BASELINES: Mapping[str, Mapping[str, Any]] = {
    "ircot": {"retrieval": "interleaved", "reader": "none"},
    "ircot-qa": {"retrieval": "interleaved", "reader": "direct"},
    "oner": {"retrieval": "once", "reader": "none"},
    "oner-qa": {"retrieval": "once", "reader": "direct"},
    "nor-qa": {"retrieval": "never", "reader": "direct"},
}
"""The methods of the paper as settings of this one. Without interleaving, a reader answers at once."""


@dataclass(frozen=True)
class Steps:
    """Limits of the loop: `cap` documents in all, `max_sentences` of at most `look_ahead` tokens.

    `stop` is looked for in each sentence, as a regular expression without regard to case. `query` is `last` (the last
    sentence), `question+cot`, `cot` (all sentences), or `random` (some sentence of the corpus: an ablation).
    """

    cap: int = 15
    max_sentences: int = 8
    look_ahead: int = LOOK_AHEAD
    stop: str = MARKER
    query: str = "last"

    def __post_init__(self) -> None:
        for name in ("cap", "max_sentences", "look_ahead"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; use at least 1.")
        if self.query not in QUERIES:
            raise BadInput(f'"{self.query}" is no way to make a query.{nearest(self.query, QUERIES)}')
        try:
            re.compile(self.stop)
        except re.error as problem:
            raise BadInput(f'stop is "{self.stop}", which is no regular expression ({problem}).') from problem


@dataclass(frozen=True)
class Examples:
    """`demonstrations` is a JSON Lines file or one of the paper's prompts (`.txt`); from Python a sequence of them.

    Each is shown with its own documents and `distractors` of the others'; those of `surefoot.questions.demonstrations`
    and of the paper's prompts have distractors already and take no more. `instruct` says how a bare question is to be
    answered where there are none.
    """

    demonstrations: Any = ()
    distractors: int = 2
    instruct: bool = True

    def __post_init__(self) -> None:
        if self.distractors < 0:
            raise BadInput(f"distractors is {self.distractors}; use 0 or more.")


@dataclass(frozen=True)
class Ircot:
    """`index`, `k`, `layout` and `budget` are those of `rag`; demonstrations are left out first.

    `retrieval` is `interleaved`, `once` (OneR) or `never` (NoR). `reader` is `none` (the chain of thought is the text),
    `direct` (an answer alone) or `cot` (a new chain of thought over all documents). `pinned` gives questions a main
    paragraph, which stands first, and whose title is searched for with the question: a JSON Lines file of question,
    title and text, or from Python a mapping from question to `Document`.
    """

    index: Any = ""
    k: int = 4
    layout: str = "wikipedia"
    budget: int = 0
    retrieval: str = "interleaved"
    reader: str = "none"
    pinned: Any = ""
    steps: Steps = field(default_factory=Steps)
    hygiene: Hygiene = field(default_factory=Hygiene)
    examples: Examples = field(default_factory=Examples)

    def __post_init__(self) -> None:
        check_searching(self)
        for value, known in ((self.retrieval, RETRIEVALS), (self.reader, READERS)):
            if value not in known:
                raise BadInput(f'"{value}" is none of {", ".join(known)}.{nearest(value, known)}')

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that searches behind each of its sentences."""
        return IrcotModel(model, "ircot", self)


class IrcotModel(Together):
    """The questions of a request go forward together, a sentence each."""

    settings: Ircot
    draws: ClassVar[bool] = True

    def __init__(self, base: LanguageModel, treatment: str, settings: Ircot) -> None:
        base.require("generate", by=f"The treatment {treatment}")
        refuse_whole_texts(base, treatment)
        super().__init__(base, treatment, settings)
        shown = read_demonstrations(settings.examples.demonstrations)
        mixed = with_distractors(shown, settings.examples.distractors) if shown else []
        self.texts = {d: [demonstration_text(one, settings.layout, d) for one in mixed] for d in (False, True)}
        self.pinned = read_pinned(settings.pinned)
        self._read: dict[Prompt, Prompt] = {}
        self.corpus: Sequence[Document] = getattr(self.retriever, "corpus", ())
        if settings.steps.query == "random" and not self.corpus:
            raise BadInput('query is "random", a sentence of the corpus, and this index shows none; use another query.')

    def told(self) -> Mapping[str, Any]:
        s = self.settings
        rest = {"steps": asdict(s.steps), "hygiene": asdict(s.hygiene), "instruct": s.examples.instruct}
        return {**super().told(), **rest, "examples": self.texts[False], "pinned": self.pinned}

    def writing(self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]) -> Writing:
        """The chains of thought, or what a reader wrote; `max_new_tokens` bounds that text."""
        loop = Loop(self)
        return Writing(self._ended(loop, loop.run(prompts, samplings, begun)), loop.left)

    def _ended(self, loop: Loop, found: Iterator[Found]) -> Texts:
        """The questions whose chains of thought came to their ends, with what a reader makes of them."""
        while own := list(islice(found, 1 if self.settings.reader == "none" else TOGETHER)):
            texts = (
                [with_trace(one.text, one.log) for one in own] if self.settings.reader == "none" else loop.answered(own)
            )
            for one, text in zip(own, texts, strict=True):
                del loop.open[one.place]
                yield one.place, text

    def change(self, prompt: Prompt) -> Prompt:
        """The prompt of a direct reader with all documents that the loop found."""
        self.look_up([prompt])
        return self._read[prompt]

    def first_read(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What is read for the first sentence, before the loop has found more."""
        return Loop(self).first(prompts)

    def look_up(self, prompts: Sequence[Prompt]) -> None:
        """Run the loop for prompts whose documents are not known yet, greedily."""
        new = [p for p in dict.fromkeys(prompts) if p not in self._read]
        if len(self._read) + len(new) > 4096:
            self._read.clear()
            new = list(dict.fromkeys(prompts))
        room = self.settings.steps.max_sentences * self.settings.steps.look_ahead
        loop = Loop(self)
        with self.keeping():
            for one in loop.run(new, [Sampling(max_new_tokens=room)] * len(new)):
                self._read[one.prompt] = loop.reading(one, direct=True).prompt
