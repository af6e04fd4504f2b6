"""FLARE: the model drafts a sentence; where a token of it is unlikely, it searches with it and writes it anew.

    s^_t = LM([x, y_<t])                                   a draft of the next sentence
    y_t  = s^_t                         if every p(token of s^_t) >= theta
           LM([D_q, x, y_<t])           otherwise, D_q = the k best documents of q
    q    = s^_t without its tokens of p < beta (implicit), questions about them (explicit), or s^_t (raw)

`mode` chooses between this (`direct`), `instruct` (the model asks in its text) and baselines on the same prompts and
index: `previous-window`, `previous-sentence`, `decomposition`, `single`, `none`. Needs `logprobs` for `direct`,
`logits` for the bias of `instruct`. Probabilities are at temperature 1, before truncation. The question is the text of
the prompt's last `input` parts. Options are scored and chosen behind the documents of the question. Relations: `rag`
searches once; `ircot` after every sentence with the last one, and then reads again what it collected.
Source: Jiang et al. 2023 (EMNLP), arXiv:2305.06983, and its released code where they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.writing import before_stop
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments.retrieval.flare_calls import BIAS, without_calls
from surefoot.treatments.retrieval.flare_favoured import Favoured
from surefoot.treatments.retrieval.flare_pieces import Asked, Cut, Piece, cut_pieces, sentence_pieces
from surefoot.treatments.retrieval.flare_query import RULES, interleaved, masked, uncertain_spans
from surefoot.treatments.retrieval.flare_questions import ask_about
from surefoot.treatments.retrieval.flare_resume import go_on, left, mark, unbegun
from surefoot.treatments.retrieval.flare_steps import MODES, Documents, Line, Mode
from surefoot.treatments.retrieval.grounded import (
    check_searching,
    refuse_whole_texts,
    with_trace,
)
from surefoot.treatments.retrieval.pool import pooled
from surefoot.treatments.retrieval.rag import log_dropped
from surefoot.treatments.retrieval.showing import question_of, shown
from surefoot.treatments.retrieval.together import Texts, Together, Writing

OPENINGS = Path(__file__).parent / "flare_openings"
QUERIES = ("implicit", "explicit", "raw")
INITIAL = ("none", "first", "first-keep")
CONTEXTS = ("replace", "keep-initial")


@dataclass(frozen=True)
class Drafting:
    """When a draft is doubted and how far each step goes.

    `theta`: a draft with a token below it is searched for. `beta`: tokens below it are left out of an implicit query,
    asked about in an explicit one. `rule` is `paper` or `released` (p <= theta, and theta 0 always searches). `gap`
    joins unlikely tokens that lie nearer. `look_ahead` tokens are drafted at most; `window` is the step of
    `previous-window`; `max_steps` ends a text.
    """

    theta: float = 0.8
    beta: float = 0.4
    rule: str = "paper"
    gap: int = 5
    look_ahead: int = 64
    window: int = 16
    max_steps: int = 256

    def __post_init__(self) -> None:
        for name in ("theta", "beta"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it is a probability, from 0 to 1.")
        for name in ("gap", "look_ahead", "window", "max_steps"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; use 1 or more.")
        _one_of("rule", self.rule, RULES)


@dataclass(frozen=True)
class Favouring:
    """For `instruct`: `bias` on the logit of "[", none of it for `cool_down` tokens behind a search; both 0 for off."""

    bias: float = BIAS
    cool_down: int = 10

    def __post_init__(self) -> None:
        if self.cool_down < 0:
            raise BadInput(f"cool_down is {self.cool_down}; use a number of tokens, 0 for none.")


@dataclass(frozen=True)
class Flare:
    """`index` is a folder that `surefoot index` made, or from Python a retriever; `k` documents are shown at a time.

    `initial`: the documents of the question stand before the model for no draft (`none`), the first one (`first`) or
    all of them (`first-keep`). `context`: after a search it reads what was found alone (`replace`) or behind the
    documents of the question (`keep-initial`). `asker` writes the questions of `query="explicit"`: a model, from
    Python, or none for the model itself. `budget` is how many tokens question and documents may take; 0 is three
    quarters of the model's context.
    """

    index: Any = ""
    mode: str = "direct"
    query: str = "implicit"
    k: int = 2
    initial: str = "first"
    context: str = "replace"
    asker: Any = None
    layout: str = "numbered"
    budget: int = 0
    drafting: Drafting = field(default_factory=Drafting)
    favouring: Favouring = field(default_factory=Favouring)

    def __post_init__(self) -> None:
        check_searching(self)
        for name, allowed in (("mode", MODES), ("query", QUERIES), ("initial", INITIAL), ("context", CONTEXTS)):
            _one_of(name, getattr(self, name), allowed)
        if self.context == "keep-initial" and self.initial == "none":
            raise BadInput('context is "keep-initial" and initial is "none", so there is nothing to keep; change one.')
        if self.asker is not None and not isinstance(self.asker, LanguageModel):
            raise BadInput(f"The asker is a {type(self.asker).__name__}; give a loaded model, or leave it out.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that searches while it writes."""
        return FlareModel(model, "flare", self)


class FlareModel(Together):
    """Texts are written prompts by prompts, their searches in batches; `Generation.trace` says what happened."""

    settings: Flare

    def __init__(self, base: LanguageModel, treatment: str, settings: Flare) -> None:
        self.mode: Mode = MODES[settings.mode]
        _refuse(base, settings, self.mode)
        refuse_whole_texts(base, treatment)
        super().__init__(base, treatment, settings)

    def told(self) -> Mapping[str, Any]:
        s = self.settings
        asker = s.asker.card.name + s.asker.card.revision if s.asker is not None else None
        plain = {name: getattr(s, name) for name in ("mode", "query", "k", "initial", "context", "layout", "budget")}
        return {**plain, **asdict(s.drafting), **asdict(s.favouring), "asker": asker, "index": self.retriever.digest}

    @property
    def initial(self) -> str:
        """For which drafts the documents of the question stand before the model."""
        return self.mode.initial or self.settings.initial

    def change(self, prompt: Prompt) -> Prompt:
        """The prompt of the first draft, which options are scored and chosen behind."""
        opened = self.opened(prompt)
        found = () if self.initial == "none" else self.search([question_of(prompt)])[0]
        return self.grounded(opened, self.fit(opened, found).kept)

    def writing(self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]) -> Writing:
        open_: dict[int, Line] = {}

        def begin(lines: Sequence[Line]) -> None:
            open_.update({line.place: line for line in lines})
            self._begin(unbegun(lines))
            mark(lines)

        def step(lines: Sequence[Line]) -> None:
            self.mode.step(self, lines)
            mark(lines)

        def ended() -> Texts:
            for line in pooled(self._lines(prompts, samplings, begun), begin, step):
                del open_[line.place]
                yield line.place, self.finished(line)

        return Writing(ended(), lambda: left(self, open_.values()))

    def _lines(
        self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]
    ) -> Iterator[Line]:
        for place, (prompt, sampling, text) in enumerate(zip(prompts, samplings, begun, strict=True)):
            line = Line(place, self.opened(prompt), question_of(prompt), sampling)
            if text.trace is not None:
                go_on(self, line, text)
            yield line

    def _begin(self, lines: Sequence[Line]) -> None:
        if self.initial == "none":
            return
        for line, found in zip(lines, self.find(lines, [[line.question] for line in lines]), strict=True):
            line.initial = self._fitting(line, found)

    def find(self, lines: Sequence[Line], queries: Sequence[Sequence[str]]) -> list[Documents]:
        """What the queries of each line find, put together into one ranking; all lines in one batch."""
        asked = [[query for query in own if query.strip()] for own in queries]
        found = iter(self.search([query for own in asked for query in own]))
        ranked = [interleaved([next(found) for _ in own], self.settings.k) for own in asked]
        for line, own, documents in zip(lines, asked, ranked, strict=True):
            line.log.searches += len(own)
            if own:
                line.log.note("search", queries=tuple(own), documents=shown(documents))
        return ranked

    def first_context(self, line: Line) -> Documents:
        """What stands before the model for a draft: the documents of the question, or nothing; never an old search."""
        kept = self.initial == "first-keep" or (self.initial == "first" and not line.steps)
        return line.initial if kept else ()

    def context(self, line: Line, found: Documents) -> Documents:
        """What stands before the model after a search, as far as it fits."""
        return self._fitting(line, self.shown_after(line, found))

    def shown_after(self, line: Line, found: Documents) -> Documents:
        """What is to stand before the model after a search."""
        kept = line.initial if self.settings.context == "keep-initial" else ()
        return tuple(dict.fromkeys((*kept, *found)))

    def queries(self, drafts: Sequence[tuple[Line, Piece]]) -> list[list[str]]:
        """What is searched for about each doubtful draft; the question where every word of it is masked."""
        if self.settings.query == "explicit":
            return self._questions(drafts)
        beta = self.settings.drafting.beta if self.settings.query == "implicit" else 0.0
        return [[masked(draft.tokens, draft.probabilities, beta) or line.question] for line, draft in drafts]

    def _questions(self, drafts: Sequence[tuple[Line, Piece]]) -> list[list[str]]:
        """A question about each unlikely span; where none is had, the masked sentence as in an implicit query."""
        s = self.settings.drafting
        spans = [uncertain_spans(draft.probabilities, s.beta, s.gap) for _, draft in drafts]
        asked = ask_about(self.settings.asker or self.inner, drafts, spans)
        for (line, draft), own in zip(drafts, asked, strict=True):
            if not own:
                own.append(masked(draft.tokens, draft.probabilities, s.beta) or line.question)
        return asked

    def write_sentences(self, lines: Sequence[Line], documents: Sequence[Documents]) -> list[Piece]:
        """The next sentence of each line behind its documents."""
        pieces = sentence_pieces(self.inner, self._asked(lines, documents), self.settings.drafting.look_ahead)
        return self._counted(lines, pieces)

    def write(
        self, lines: Sequence[Line], documents: Sequence[Documents], cuts: Sequence[Cut], length: int
    ) -> list[Piece]:
        """At most `length` tokens behind each line and its documents, as much of them as its cut says."""
        model = self.inner
        if self._favoured is not None:
            self._favoured.searched = [line.searched for line in lines]
            model = self._favoured
        return self._counted(lines, cut_pieces(model, self._asked(lines, documents), cuts, length))

    @cached_property
    def _favoured(self) -> Favoured | None:
        """The model under the bias of `instruct`."""
        own = self.settings.favouring
        wanted = self.settings.mode == "instruct" and (own.bias or own.cool_down)
        return Favoured(self.inner, own.bias, own.cool_down) if wanted else None

    def keep(self, line: Line, piece: Piece, documents: Documents) -> None:
        """Put a piece behind a line; what it read goes into the trace."""
        line.log.note(
            "write", piece.text, tokens=piece.tokens, probabilities=piece.probabilities, documents=shown(documents)
        )
        line.written, line.last = piece.whole, piece.text
        line.steps += 1
        line.stopped = self._end(line, piece)
        if line.stopped:
            line.log.note("stop", note=line.stopped)

    def _end(self, line: Line, piece: Piece) -> str:
        if piece.whole.finish_reason != "interrupted":
            ended = piece.whole.finish_reason == "stop"
            return "the model ended the text" if ended else f"max_new_tokens {line.sampling.max_new_tokens} reached"
        if not piece.tokens and not piece.text:
            return "nothing but white space was written"
        steps = self.settings.drafting.max_steps
        return f"max_steps {steps} reached" if line.steps >= steps else ""

    def opened(self, prompt: Prompt) -> Prompt:
        """The prompt with the mode's demonstrations before it."""
        if not self.mode.opening:
            return prompt
        text = _opening(self.mode.opening)
        place = sum(part.role == "system" for part in prompt.parts)
        return prompt._with((*prompt.parts[:place], Part("demonstration", text), *prompt.parts[place:]))

    def _fitting(self, line: Line, documents: Documents) -> Documents:
        kept, dropped = self.fit(line.prompt, documents)
        log_dropped(line.log, dropped)
        return kept

    def _asked(self, lines: Sequence[Line], documents: Sequence[Documents]) -> list[Asked]:
        return [
            (self.grounded(line.prompt, own), line.written, line.sampling)
            for line, own in zip(lines, documents, strict=True)
        ]

    def _counted(self, lines: Sequence[Line], pieces: list[Piece]) -> list[Piece]:
        for line, piece in zip(lines, pieces, strict=True):
            line.log.calls += 1
            line.log.tokens += piece.drawn
        return pieces

    def finished(self, line: Line) -> Generation:
        """The text as it is given, with its trace."""
        text = before_stop(line.written.text, line.sampling.stop)
        if self.settings.mode == "instruct" and self.mode.calls is not None:
            text = without_calls(self.mode.calls, text)
        stopped = line.written.finish_reason == "stop"
        return with_trace(replace(line.written, text=text, finish_reason="stop" if stopped else "length"), line.log)

    def look_up(self, prompts: Sequence[Prompt]) -> None:
        if self.initial != "none":
            super().look_up(prompts)


@cache
def _opening(name: str) -> str:
    """Demonstrations that come with the package."""
    return (OPENINGS / name).read_text(encoding="utf-8")


def _one_of(name: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise BadInput(f'"{value}" is no {name} of flare.{nearest(value, allowed)}')


def _refuse(model: LanguageModel, settings: Flare, mode: Mode) -> None:
    """Say what a mode lacks, and which one does without."""
    if "logprobs" in mode.needs and "logprobs" not in model.can:
        raise NotAvailable(
            f'FLARE needs logprobs to doubt a draft, which "{model.name}" does not offer; '
            'use mode="previous-sentence", which searches after every sentence.'
        )
    biased = settings.mode == "instruct" and (settings.favouring.bias or settings.favouring.cool_down)
    if biased and "logits" not in model.can:
        raise NotAvailable(
            f'FLARE\'s mode instruct favours "[", for which "{model.name}" would have to offer logits; '
            "use bias=0 and cool_down=0."
        )
    model.require(*mode.needs, by="The treatment flare")
