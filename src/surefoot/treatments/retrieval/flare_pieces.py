"""The next piece of a text, with the texts and probabilities of its tokens: a sentence, a window, or up to a call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.cutting import Tokens, first_tokens, token_texts, word_texts, words_behind
from surefoot.treatments.retrieval.writing import gone_on, next_sentences

Cut = Callable[[str, str], int]
"""How many characters of a new text are kept, given the text before it."""
Asked = tuple[Prompt, Generation, Sampling]
"""What the model reads, what it wrote behind it before, and how the next tokens are picked."""


class Piece(NamedTuple):
    """What goes on behind a text that was begun.

    `whole` is that text with the piece, whose finish reason says whether it goes on; `tokens` and `probabilities` are
    the piece's own (temperature 1, before any truncation; empty where the model does not tell). `drawn` counts the
    tokens that the model wrote for it, those that were cut off included.
    """

    whole: Generation
    text: str
    tokens: tuple[str, ...]
    probabilities: tuple[float, ...]
    drawn: int


def sentence_pieces(model: LanguageModel, asked: Sequence[Asked], look_ahead: int) -> list[Piece]:
    """The next sentence behind each, of at most `look_ahead` tokens and no more than its sampling leaves room for."""
    ahead = [min(look_ahead, own.max_new_tokens - len(text.token_ids)) for _, text, own in asked]
    found: dict[int, Piece] = {}
    for length in sorted(set(ahead)):
        places = [place for place, own in enumerate(ahead) if own == length]
        prompts, begun, samplings = zip(*(asked[place] for place in places), strict=True)
        for place, made in zip(places, next_sentences(model, prompts, begun, length, samplings), strict=True):
            whole = made.so_far
            if not made.ended:
                full = len(whole.token_ids) >= asked[place][2].max_new_tokens
                whole = replace(whole, finish_reason="length" if full else "interrupted")
            found[place] = Piece(whole, made.text, made.tokens, made.probabilities, made.asked)
    return [found[place] for place in range(len(asked))]


def cut_pieces(model: LanguageModel, asked: Sequence[Asked], cuts: Sequence[Cut], look_ahead: int) -> list[Piece]:
    """What is written behind each in at most `look_ahead` tokens, as much of it as `cuts` say, at least one token.

    A model that shows no tokens reads what was written before as the end of its prompt, and words stand for tokens.
    """
    by_tokens = "logits" in model.can
    begun = [len(text.token_ids) for _, text, _ in asked]
    room = [min(own.max_new_tokens - n, look_ahead) for (_, _, own), n in zip(asked, begun, strict=True)]
    samplings = [
        replace(own, max_new_tokens=more + n * by_tokens)
        for (_, _, own), more, n in zip(asked, room, begun, strict=True)
    ]
    if by_tokens:
        written = model.generate([prompt for prompt, _, _ in asked], samplings, [text for _, text, _ in asked])
        texts = [
            token_texts(model.vocabulary.decode, text.token_ids, n) for text, n in zip(written, begun, strict=True)
        ]
    else:
        written = model.generate([gone_on(prompt, text.text) for prompt, text, _ in asked], samplings)
        written = [words_behind(text, new) for (_, text, _), new in zip(asked, written, strict=True)]
        texts = [word_texts(text.text, len(old.text)) for text, (_, old, _) in zip(written, asked, strict=True)]
    return [
        _piece(text, tokens, own.max_new_tokens, cut)
        for text, tokens, (_, _, own), cut in zip(written, texts, asked, cuts, strict=True)
    ]


def everything(_: str, new: str) -> int:
    """No cut."""
    return len(new)


def _piece(text: Generation, tokens: Tokens, room: int, cut: Cut) -> Piece:
    old, new = tokens.before, tokens.texts
    own_text = "".join(new)
    end = cut(old, own_text)
    kept = len(new) if end >= len(own_text) else _tokens_to(end, new)  # the last tokens may have no text yet
    before, own = len(text.token_ids) - len(new), new[:kept]
    probabilities = tuple(math.exp(p) for p in text.logprobs[before : before + kept])
    if kept < len(new):
        whole = first_tokens(text, before + kept, old + "".join(own))
    elif text.finish_reason == "length" and len(text.token_ids) < room:
        whole = replace(text, finish_reason="interrupted")
    else:
        whole = text
    return Piece(whole, "".join(own), own, probabilities, len(new))


def _tokens_to(end: int, tokens: Sequence[str]) -> int:
    """How many tokens reach to a character; at least one where there is one."""
    reached = accumulate(map(len, tokens))
    return next((n for n, length in enumerate(reached, start=1) if length >= max(1, end)), len(tokens))
