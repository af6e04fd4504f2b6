"""The loop of interleaved retrieval over several questions at a time: search, one sentence, search, ..., answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation
from surefoot.models.trace import Trace
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.grounded import Log, with_trace
from surefoot.treatments.retrieval.ircot_prompts import Packed, Packer, framed
from surefoot.treatments.retrieval.ircot_queries import query_of, random_sentence, shortened, take
from surefoot.treatments.retrieval.pool import NOTHING, flowing
from surefoot.treatments.retrieval.showing import context_of, prompt_tokens, question_of, shown
from surefoot.treatments.retrieval.writing import Sentence, Sentences

if TYPE_CHECKING:
    from surefoot.treatments.retrieval.ircot import IrcotModel

NEXT_EXAMPLE = ("\nQ:", "\nWikipedia Title:")  # what follows where a model goes on with an example of its own
SLACK = 8  # tokens by which the parts of a prompt, counted alone, may fall short of the whole


@dataclass
class Found:
    """A question on its way: documents in the order in which they were found, and the chain of thought so far.

    `place` is its place among the prompts of the request.
    """

    place: int
    prompt: Prompt
    question: str
    sampling: Sampling
    documents: list[Document] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    text: Generation = NOTHING
    log: Log = field(default_factory=Log)
    done: bool = False
    told: str = ""

    def go_on(self, begun: Generation) -> None:
        """Take up what an interrupted call left, all of which stands in its trace."""
        trace = begun.trace or Trace()
        found = (document for event in trace.events if event.kind == "search" for document in event.documents)
        self.documents += [Document(one.id, one.title, one.text) for one in found]
        self.sentences = [event.text.strip() for event in trace.events if event.kind == "write"]
        self.text, self.log = (
            replace(begun, trace=None),
            Log([*trace.events], trace.calls, trace.searches, trace.tokens),
        )
        self.done = any(event.kind == "stop" for event in trace.events)
        self.told = next((event.note for event in reversed(trace.events) if event.kind == "decide"), "")

    @property
    def searches_next(self) -> bool:
        """Whether the last sentence was not searched for yet."""
        return not self.done and bool(self.log.events) and self.log.events[-1].kind == "write"

    def end(self, why: str, finished: bool) -> None:
        """Stop, and say why; `finished` is false where a limit was met."""
        self.done = True
        self.text = replace(self.text, finish_reason="stop" if finished else "length")
        self.log.note("stop", note=why)


class Loop:
    """One request's way through the loop."""

    def __init__(self, model: IrcotModel) -> None:
        self.model = model
        self.settings = model.settings
        self.steps = model.settings.steps
        self.packer = Packer(model.settings.layout, model.count, model.budget)
        self.sentences: Sentences[int] = Sentences(model.inner)
        self.open: dict[int, Found] = {}
        self._asked: dict[int, tuple[Packed, int]] = {}
        self._frames: dict[tuple[Prompt, bool], tuple[Prompt, int]] = {}

    def first(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What is read first for each prompt: by the reader where no chain of thought is written."""
        found = [self._found(place, prompt, Sampling()) for place, prompt in enumerate(prompts)]
        self._begin(found)
        direct = self.settings.reader == "direct"
        return [self.reading(one, one.done and direct).prompt for one in found]

    def run(
        self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation] | None = None
    ) -> Iterator[Found]:
        """All questions, as they come to the ends of their chains of thought; `open` are those that began."""
        texts = begun or [NOTHING] * len(prompts)
        asked = enumerate(zip(prompts, samplings, texts, strict=True))
        ways = (self._found(i, p, s, text) for i, (p, s, text) in asked)
        return flowing(ways, self._begin, self._ask, self._answered)

    def left(self) -> Iterator[tuple[int, Generation]]:
        """What there is of the texts that began and were not given, each with its place, to be gone on with."""
        for one in self.open.values():
            whole = one.done and self.settings.reader == "none"
            yield one.place, with_trace(one.text if whole else replace(one.text, finish_reason="interrupted"), one.log)

    def _found(self, place: int, prompt: Prompt, sampling: Sampling, begun: Generation = NOTHING) -> Found:
        """A question with the paragraph that it comes with, and what was begun of it."""
        one = Found(place, prompt, question_of(prompt), sampling)
        if one.question in self.model.pinned:
            one.documents.append(shortened(self.model.pinned[one.question], self.settings.hygiene.words))
        if begun.trace is not None:
            one.go_on(begun)
        return one

    def _begin(self, found: Sequence[Found]) -> None:
        """Search by the questions; where a reader answers from that, no chain of thought is written."""
        self.open |= {one.place: one for one in found}
        new = [one for one in found if not one.log.events]
        if self.settings.retrieval != "never":
            self._search(new, [self._opening(one) for one in new])
        for one in found:
            one.done |= self.settings.retrieval != "interleaved" and self.settings.reader != "none"
        self._follow(found)

    def _ask(self, one: Found) -> None:
        """Ask for the next sentence of a question."""
        pack, room = self.reading(one, direct=False), self._room(one)
        self._asked[one.place] = pack, room
        ahead = max(1, min(self.steps.look_ahead, room))
        self.sentences.ask(one.place, pack.prompt, one.text, ahead, _within_example(one.sampling))

    def _answered(self) -> list[Found]:
        """Questions whose sentences have ended, with what these find."""
        found = []
        for place, sentence in self.sentences.take():
            found.append(self.open[place])
            self._keep(self.open[place], *self._asked.pop(place), sentence)
        self._follow(found)
        return found

    def _follow(self, found: Sequence[Found]) -> None:
        """Search behind the sentences that were written, where there is room for more documents."""
        if self.settings.retrieval == "interleaved":
            open_ = [one for one in found if one.searches_next and len(one.documents) < self.steps.cap]
            self._search(open_, [self._query(one) for one in open_])

    def answered(self, found: Sequence[Found]) -> list[Generation]:
        """What the reader writes from the documents of each question."""
        direct = self.settings.reader == "direct"
        packed = [self.reading(one, direct) for one in found]
        own = [_within_example(one.sampling) for one in found]
        texts = self.model.inner.generate([one.prompt for one in packed], own)
        for one, pack, text in zip(found, packed, texts, strict=True):
            one.log.calls += 1
            one.log.tokens += len(text.token_ids)
            one.log.note("read", text.text, documents=shown(pack.kept), note=f"{self.settings.reader} reader")
            one.log.note("stop", note=text.finish_reason)
        return [with_trace(text, one.log) for text, one in zip(texts, found, strict=True)]

    def reading(self, one: Found, direct: bool) -> Packed:
        """The prompt of a question with its documents, within the budget."""
        if (one.prompt, direct) not in self._frames:
            examples = self.model.texts[direct]
            frame = framed(one.prompt, direct, self.settings.examples.instruct and not examples)
            self._frames[one.prompt, direct] = frame, prompt_tokens(self.model.inner, frame, self.model.count)
        frame, taken = self._frames[one.prompt, direct]
        packed = self.packer.pack(frame, taken, self.model.texts[direct], one.documents)
        self._tell(one, packed, len(self.model.texts[direct]))
        return packed

    def _tell(self, one: Found, packed: Packed, examples: int) -> None:
        """Note what the budget had no room for, once for each state of things."""
        out = [f"{examples - packed.demonstrations} demonstrations"] if packed.demonstrations < examples else []
        out += [document.id for document in packed.dropped]
        note = f"no room in the budget for {', '.join(out)}" if out else ""
        if note and note != one.told:
            one.log.note("decide", note=note)
        one.told = note

    def _keep(self, one: Found, pack: Packed, room: int, sentence: Sentence) -> None:
        one.log.calls += 1
        one.log.tokens += sentence.asked
        one.text = sentence.so_far
        if not sentence.text.strip():
            one.end("the model wrote nothing more", finished=True)
            return
        one.sentences.append(sentence.text.strip())
        one.log.note(
            "write",
            sentence.text,
            tokens=sentence.tokens,
            probabilities=sentence.probabilities,
            documents=shown(pack.kept),
        )
        if re.search(self.steps.stop, sentence.text, re.IGNORECASE):
            one.end(f'the sentence matches "{self.steps.stop}"', finished=True)
        elif len(one.sentences) >= self.steps.max_sentences:
            one.end(f"the limit of {self.steps.max_sentences} sentences", finished=False)
        elif room <= len(sentence.tokens):
            one.end("the limit of tokens", finished=False)

    def _room(self, one: Found) -> int:
        """Tokens that may still be written: within the context, and the sampling's limit if the chain is the text."""
        steps = self.steps.max_sentences * self.steps.look_ahead
        limit = one.sampling.max_new_tokens if self.settings.reader == "none" else steps
        context, budget = context_of(self.model.inner), self.model.budget
        if context is not None and budget is not None:
            limit = min(limit, context - budget - SLACK)
        return limit - len(one.text.token_ids)

    def _opening(self, one: Found) -> str:
        """The first query: the question, behind the title of the paragraph that it comes with."""
        main = self.model.pinned.get(one.question)
        return one.question if main is None else f"{main.title} {one.question}".strip()

    def _query(self, one: Found) -> str:
        if self.steps.query == "random":
            return random_sentence(self.model.corpus, f"{one.question}/{len(one.sentences)}")
        return query_of(one.question, one.sentences, self.steps.query, self.settings.hygiene)

    def _search(self, found: Sequence[Found], queries: Sequence[str]) -> None:
        """Search by one query a question, and add what is new."""
        for one, query, documents in zip(found, queries, self.model.search(queries), strict=True):
            taken = take(documents, one.documents, self.steps.cap, self.settings.hygiene)
            one.documents += taken.documents
            one.log.searches += 1
            one.log.note("search", queries=(query,), documents=shown(taken.documents), note="; ".join(taken.notes))


def _within_example(sampling: Sampling) -> Sampling:
    """The same, ended where a model goes on with an example of its own."""
    return replace(sampling, stop=(*sampling.stop, *NEXT_EXAMPLE))
