"""Explicit queries: a question about each unlikely stretch of a draft, written by a model.

Source: Jiang et al. 2023 (arXiv:2305.06983), section 3.2, who ask gpt-3.5-turbo; what is no question is left out, as in
their code. Their code has a stretch made longer to a phrase by the model; here it is made longer to whole words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments.retrieval.flare_pieces import Piece
from surefoot.treatments.retrieval.flare_query import whole_words

if TYPE_CHECKING:
    from surefoot.treatments.retrieval.flare_steps import Line

LENGTH = 32  # tokens of a question


def question_prompt(question: str, written: str, term: str) -> Prompt:
    """What the asker reads: the user's question, the text so far with the draft, and the words to ask about."""
    return Prompt(
        (
            Part("input", f"Task: {question}\n\nText: {written.strip()}\n\n"),
            Part("instruction", f'Write one question about the text that "{term}" is the answer to.\n'),
            Part("cue", "Question:"),
        )
    )


def ask_about(
    asker: LanguageModel, drafts: Sequence[tuple[Line, Piece]], spans: Sequence[Sequence[range]]
) -> list[list[str]]:
    """The questions about each draft's spans, in order; what the asker writes without a question mark is left out."""
    asked: list[tuple[int, Prompt]] = []
    for place, ((line, draft), own) in enumerate(zip(drafts, spans, strict=True)):
        for span in own:
            term = whole_words(draft.tokens, span)
            if term:
                asked.append((place, question_prompt(line.question, line.written.text + draft.text, term)))
            line.log.calls += bool(term)
    texts = asker.generate([prompt for _, prompt in asked], Sampling(LENGTH, stop=("\n",))) if asked else []
    found: list[list[str]] = [[] for _ in drafts]
    for (place, _), text in zip(asked, texts, strict=True):
        drafts[place][0].log.tokens += len(text.token_ids)
        question, mark, _ = text.text.partition("?")
        if mark and question.strip():
            found[place].append(f"{question.strip()}?")
    return found
