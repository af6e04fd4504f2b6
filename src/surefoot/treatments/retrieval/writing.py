"""The next sentence behind each of several prompts, with the probability of each of its tokens.

A model that shows its tokens goes on with the ids that were written before, so neither chat template nor cache is
disturbed. One that does not (an endpoint, a script) reads what was written before as the end of its prompt: behind the
cue, which a chat endpoint finds in the user's turn.
Source: Jiang et al. 2023 (EMNLP), arXiv:2305.06983, section 3.2 and released code (64 tokens, the first sentence).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.writing import before_stop, one_each
from surefoot.text.prompt import Part, Prompt
from surefoot.text.sentences import first_sentence
from surefoot.treatments.retrieval.cutting import first_tokens, token_texts, word_texts, words_behind

if TYPE_CHECKING:
    from surefoot.models.stream import Stream

LOOK_AHEAD = 64
BEHIND = 3  # tokens that are read behind a sentence before it counts as ended: `Dr.` alone says nothing
MAY_END = re.compile(r"[.!?…。！？।॥։؟۔።]\W*\s|[。！？।॥]|\S\s*\n\s*\S")  # cheap: nothing ends without one of these


Key = TypeVar("Key")


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it leaves its text.

    `text` is what was added, with the space before it; `tokens` are the texts of its tokens and `probabilities` theirs
    at temperature 1, before truncation (both empty where the model does not tell). `so_far` is all that was written
    behind the prompt, this sentence included, to be given as `begun` for the next one. `ended` says that the model
    wrote nothing behind it: its end token, a stop text, or nothing at all. `asked` counts the tokens that the model
    wrote, those that were cut off included.
    """

    text: str
    tokens: tuple[str, ...]
    probabilities: tuple[float, ...]
    so_far: Generation
    ended: bool
    asked: int


class Asked(NamedTuple):
    """What a sentence is to stand behind, its length at most, and how its tokens are picked."""

    prompt: Prompt
    begun: Generation
    look_ahead: int
    sampling: Sampling


def next_sentences(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    begun: Sequence[Generation] | None = None,
    look_ahead: int | Sequence[int] = LOOK_AHEAD,
    sampling: Sampling | Sequence[Sampling] | None = None,
) -> list[Sentence]:
    """The next sentence behind each prompt and what was begun behind it, from at most `look_ahead` tokens (one for all
    or one a prompt). A text that had ended is asked to go on all the same.

    Where no sentence ends within them, all of them are the sentence. `max_new_tokens` of the sampling is not used.
    """
    before = list(begun) if begun is not None else [Generation("", (), (), "interrupted")] * len(prompts)
    samplings = one_each(sampling, len(prompts))
    ahead = [look_ahead] * len(prompts) if isinstance(look_ahead, int) else list(look_ahead)
    sentences: Sentences[int] = Sentences(model)
    for place, asked in enumerate(zip(prompts, before, ahead, samplings, strict=True)):
        sentences.ask(place, *asked)
    found: dict[int, Sentence] = {}
    while ended := sentences.take():
        found.update(ended)
    return [found[place] for place in range(len(prompts))]


class Sentences(Generic[Key]):
    """Sentences in the course of being written, each known by a key of the caller's.

    Those of a model that shows its tokens are written together and end one by one, so that others can be asked for
    meanwhile.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._asked: dict[Key, Asked] = {}
        self._stream: Stream[Key] | None = None
        if "logits" in model.can:
            from surefoot.models.stream import Stream

            self._stream = Stream(model)

    def ask(self, key: Key, prompt: Prompt, begun: Generation, look_ahead: int, sampling: Sampling) -> None:
        """The next sentence behind a prompt and what was begun of its text, as `next_sentences` gives it."""
        self._asked[key] = Asked(prompt, begun, look_ahead, sampling)
        if self._stream is not None:
            start = len(begun.token_ids)
            room = replace(sampling, max_new_tokens=start + look_ahead)
            self._stream.put(key, prompt, room, _open(begun), self._ending(start))

    def take(self) -> list[tuple[Key, Sentence]]:
        """Some of the sentences, once they are written; none where none is left."""
        if self._stream is None:
            asked, self._asked = self._asked, {}
            return list(zip(asked, _by_text(self.model, list(asked.values())), strict=True)) if asked else []
        decode = self.model.vocabulary.decode
        ended = [(key, text, self._asked.pop(key)) for key, text in self._stream.take()]
        return [(key, _cut(text, len(own.begun.token_ids), own.sampling.stop, decode)) for key, text, own in ended]

    def _ending(self, start: int) -> Callable[[Sequence[int]], bool]:
        """Whether a sentence has ended behind the first `start` tokens and has `BEHIND` more behind it."""
        decode = self.model.vocabulary.decode
        return lambda ids: _has_ended(ids[start:-BEHIND], ids[start:], decode)


def _open(text: Generation) -> Generation:
    """The text as one to be gone on with: without the end token that it may have had."""
    n = len(text.token_ids)
    return replace(
        text,
        finish_reason="interrupted",
        logprobs=text.logprobs[:n],
        sampled_logprobs=text.sampled_logprobs[:n],
        plain_logprobs=text.plain_logprobs[:n],
    )


def _has_ended(first: Sequence[int], ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> bool:
    """Whether a sentence ends within the tokens `first`, judged by all of `ids`."""
    if not first:
        return False
    text = decode(ids)
    return bool(MAY_END.search(text)) and first_sentence(text) <= len(decode(first).rstrip("\ufffd"))


def _cut(text: Generation, start: int, stops: Sequence[str], decode: Callable[[Sequence[int]], str]) -> Sentence:
    """The first sentence behind the first `start` tokens."""
    whole, ends = tokens = token_texts(decode, text.token_ids, start)
    own = before_stop(whole[ends[0] :], stops)
    end = first_sentence(own)
    count = next((n for n, at in enumerate(ends) if at >= ends[0] + end), len(ends) - 1) if end else 0
    stop = start + count
    kept = first_tokens(text, stop, decode(text.token_ids[:stop]))
    last = own[end:].strip() == "" and text.finish_reason == "stop"
    if last:  # the end token, where drawn, has a log-probability of its own
        kept = replace(text, text=kept.text, token_ids=kept.token_ids, finish_reason="stop")
    chances = tuple(math.exp(value) for value in text.logprobs[start:stop])
    pieces = tokens.texts[:count]
    return Sentence("".join(pieces), pieces, chances, kept, last, len(text.logprobs) - start)


def _by_text(model: LanguageModel, asked: Sequence[Asked]) -> list[Sentence]:
    prompts = [gone_on(own.prompt, own.begun.text) for own in asked]
    texts = model.generate(prompts, [replace(own.sampling, max_new_tokens=own.look_ahead) for own in asked])
    return [_cut_words(text, own.begun) for text, own in zip(texts, asked, strict=True)]


def gone_on(prompt: Prompt, text: str) -> Prompt:
    """The prompt with what was written behind it as part of its cue."""
    if not text:
        return prompt
    gap = "" if prompt.text[-1:].isspace() or text[:1].isspace() else " "
    return prompt._with((*prompt.parts, Part("cue", gap + text)))


def _cut_words(text: Generation, before: Generation) -> Sentence:
    """The first sentence of a text that came without its tokens; words stand for them."""
    end = first_sentence(text.text)
    words = word_texts(text.text[:end]).texts
    told = len(text.logprobs) == len(text.token_ids) >= len(words)
    logprobs = text.logprobs[: len(words)] if told else ()
    last = not text.text[end:].strip() and text.finish_reason == "stop"
    kept = words_behind(before, replace(text, text=text.text[:end], logprobs=logprobs))
    kept = replace(kept, finish_reason="stop" if last else "interrupted")
    return Sentence(text.text[:end], words, tuple(map(math.exp, logprobs)), kept, last, len(text.token_ids))
