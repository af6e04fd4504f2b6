"""Single-time retrieval: the question is searched for once, and what is found stands before it.

    y = LM([D_x, x]),   D_x = the k best documents of the query x

Writing, scoring and choosing all read the same documents. Documents that do not fit the budget are left out whole, the
worst ranked first, and the trace names them. Needs nothing of the model. Relations: `flare` and `ircot` search again
while they write; `cad` below this one amplifies what the documents add.
Source: the single-time baseline of Jiang et al. 2023 (EMNLP), arXiv:2305.06983, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.grounded import Grounded, Log, check_searching, with_trace
from surefoot.treatments.retrieval.showing import Fit, question_of, shown


@dataclass(frozen=True)
class Rag:
    """`index` is a folder that `surefoot index` made, or from Python a retriever; `k` documents are asked for.

    `layout` is `numbered` or `wikipedia`. `budget` is how many tokens question and documents may take together; 0 is
    three quarters of the model's context.
    """

    index: Any = ""
    k: int = 5
    layout: str = "numbered"
    budget: int = 0

    def __post_init__(self) -> None:
        check_searching(self)

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that reads what was found."""
        return RagModel(model, "rag", self)


class RagModel(Grounded):
    """Searches once for each prompt, the prompts of a request in one batch."""

    settings: Rag

    def change(self, prompt: Prompt) -> Prompt:
        return self.grounded(prompt, self.found(prompt).kept)

    def found(self, prompt: Prompt) -> Fit:
        """The documents that stand before a prompt, and those that did not fit."""
        return self.fit(prompt, self.search([question_of(prompt)])[0])

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        whole = [Prompt.of(prompt) for prompt in prompts]
        self.look_up(whole)
        fits = [self.found(prompt) for prompt in whole]
        asked = [self.grounded(prompt, fit.kept) for prompt, fit in zip(whole, fits, strict=True)]
        texts = self.inner.generate(asked, sampling, begun)
        return [with_trace(text, _log(question_of(p), f, text)) for p, f, text in zip(whole, fits, texts, strict=True)]


def _log(query: str, fit: Fit, text: Generation) -> Log:
    log = Log(calls=1, searches=int(bool(query)), tokens=len(text.token_ids))
    if query:
        log.note("search", queries=(query,), documents=shown((*fit.kept, *fit.dropped)))
    log_dropped(log, fit.dropped)
    log.note("write", text.text, documents=shown(fit.kept))
    log.note("stop", note=text.finish_reason)
    return log


def log_dropped(log: Log, dropped: Sequence[Document]) -> None:
    """Say which documents the budget had no room for."""
    if dropped:
        names = ", ".join(document.id for document in dropped)
        log.note("decide", note=f"no room in the budget for {len(dropped)} documents: {names}")
