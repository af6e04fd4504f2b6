"""Pairs of contexts from questions: one found by a retriever, one written by a model and chosen by its length.

Source: Tan et al. 2024 (arXiv:2401.11911), section 3: the best passage of a retriever; a background document written at
several target lengths at temperature 0, of which the one nearest to the retrieved passage in words is kept. The
prompts are our own, and words are runs of letters and digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.probes.context_preference.splitting import word_count
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Retriever
from surefoot.tasks.contexts import ContextPair
from surefoot.text.prompt import Part, Prompt

TARGETS = (90, 100, 110, 120, 130)
TOKENS_A_WORD = 2  # room: a text that is still cut ends where its tokens do


class Draft(NamedTuple):
    """A context that a model wrote for a target number of words."""

    target: int
    text: str


def retrieved_contexts(retriever: Retriever, questions: Sequence[str]) -> tuple[str, ...]:
    """The text of the best document for each question. Raises `BadInput` where a question finds none."""
    found = retriever.search(questions, 1)
    empty = next((question for question, hits in zip(questions, found, strict=True) if not hits), None)
    if empty is not None:
        raise BadInput(f'Nothing was found for "{empty[:60]}"; leave the question out, or search a larger corpus.')
    return tuple(hits[0].document.text.strip() for hits in found)


def generated_contexts(
    model: LanguageModel,
    questions: Sequence[str],
    target_words: Sequence[int] = TARGETS,
    *,
    stating: Sequence[str] | None = None,
) -> tuple[tuple[Draft, ...], ...]:
    """For each question a draft at each target length, written greedily.

    `stating` gives for each question a sentence that its contexts are to support: a planted answer for a model that
    knows none. Texts that come out empty are left out. Needs `generate`. Cost: questions x targets texts.
    """
    model.require("generate", by="Writing contexts")
    if not target_words or min(target_words) < 1:
        raise BadInput(f"target_words is {tuple(target_words)}; give at least one number of words, each 1 or more.")
    told = stating if stating is not None else [""] * len(questions)
    drafts: list[list[Draft]] = [[] for _ in questions]
    for target in target_words:
        prompts = [_prompt(question, target, fact) for question, fact in zip(questions, told, strict=True)]
        texts = model.generate(prompts, Sampling(max_new_tokens=TOKENS_A_WORD * target))
        for own, written in zip(drafts, texts, strict=True):
            own.extend(Draft(target, text) for text in (without_opening(written.text),) if text)
    return tuple(tuple(own) for own in drafts)


def without_opening(text: str) -> str:
    """The text behind its first blank line, where a chatty model puts `Sure, here it is:`; else the whole text."""
    opening, _, rest = text.strip().partition("\n\n")
    return rest.strip() if opening.rstrip().endswith(":") and rest.strip() else text.strip()


def nearest_length(drafts: Sequence[Draft], words: int) -> Draft:
    """The draft whose number of words is nearest to `words`; of equals the first."""
    if not drafts:
        raise BadInput("There is no draft to choose from; leave out the question for which the model wrote nothing.")
    return min(drafts, key=lambda draft: abs(word_count(draft.text) - words))


def length_difference(pairs: Sequence[ContextPair]) -> float:
    """(mean words of the generated contexts - those of the retrieved ones) / those of the retrieved ones."""
    retrieved = sum(word_count(pair.retrieved) for pair in pairs)
    return (sum(word_count(pair.generated) for pair in pairs) - retrieved) / retrieved


def matched(pairs: Sequence[ContextPair], drafts: Sequence[Sequence[Draft]]) -> tuple[ContextPair, ...]:
    """The pairs with the drafts nearest in length to what was retrieved; a question without a draft is left out."""
    return tuple(
        replace(pair, generated=nearest_length(own, word_count(pair.retrieved)).text)
        for pair, own in zip(pairs, drafts, strict=True)
        if own
    )


def context_pairs(
    questions: Sequence[Question],
    retriever: Retriever,
    model: LanguageModel,
    target_words: Sequence[int] = TARGETS,
    options: Mapping[str, Sequence[str]] | None = None,
) -> tuple[ContextPair, ...]:
    """The questions with what the retriever finds and what the model writes, matched in length.

    `options` gives values to choose from by the question's id. Questions without accepted answers are `BadInput`.
    """
    texts = [question.text for question in questions]
    found = retrieved_contexts(retriever, texts)
    given = options or {}
    bare = [
        ContextPair(one.id, one.text, one.answers, text, text, tuple(given.get(one.id, ())))
        for one, text in zip(questions, found, strict=True)
    ]
    return matched(bare, generated_contexts(model, texts, target_words))


def _prompt(question: str, words: int, fact: str) -> Prompt:
    asked = f"Write a passage of an encyclopaedia, about {words} words long, that tells what is asked."
    told = f" It must say this: {fact}" if fact else ""
    return Prompt((Part("instruction", f"{asked}{told}\n\n"), Part("input", question), Part("cue", "\n\nPassage:")))
