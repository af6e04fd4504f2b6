"""The treatment flare: exact traces of a script, its limits in theta, its probabilities, its modes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import Generation
from surefoot.models.scripted import ScriptedModel
from surefoot.models.trace import Event, Shown, Trace
from surefoot.retrieval.retriever import Document, Hit
from surefoot.text.prompt import Part
from surefoot.treatments.retrieval.flare import Flare
from surefoot.treatments.retrieval.flare_steps import MODES
from surefoot.treatments.retrieval.rag import Rag

ASK = sf.Prompt((Part("input", "Who is Joe?\n"), Part("cue", "A:")))


class Shelf:
    """A retriever that gives what was laid ready for a query, and remembers what it was asked."""

    def __init__(self, found: Mapping[str, str] | None = None, rest: str = "ab") -> None:
        self.found = dict(found or {})
        self.rest = rest
        self.asked: list[str] = []
        self.digest = f"{sorted(self.found.items())}{rest}"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked += queries
        return [[Hit(paper(name), 1.0) for name in self.found.get(query, self.rest)][:k] for query in queries]


def paper(name: str) -> Document:
    return Document(name, name.upper(), f"{name} text.")


def shown(*names: str) -> tuple[Shown, ...]:
    return tuple(Shown(*paper(name)) for name in names)


def read(names: str, behind: str = "") -> str:
    """What the model reads with these documents before the question, and this text behind it."""
    found = "".join(f"[{n}] {name.upper()}. {name} text.\n" for n, name in enumerate(names, 1))
    return (f"Search results:\n{found}\n" if names else "") + ASK.text + behind


class Weighed(ScriptedModel):
    """A script whose words may carry a probability: `Paris{0.3}`; the others have 0.95. It counts its calls."""

    calls = 0

    def generate(self, prompts: Any, sampling: Any = None, begun: Any = None) -> list[Generation]:
        self.calls += 1
        return [self._weighed(text) for text in super().generate(prompts, sampling, begun)]

    def _weighed(self, text: Generation) -> Generation:
        words = text.text.split()
        p = [float(m.group(1)) if (m := re.search(r"\{(.*)\}", word)) else 0.95 for word in words]
        plain = re.sub(r"\{.*?\}", "", text.text)
        return Generation(plain, tuple(range(len(words))), tuple(map(math.log, p)), text.finish_reason)


def flare(model: Any, shelf: Any = None, **settings: Any) -> Any:
    return sf.treat("flare", model, index=shelf or Shelf(), **settings)


def trace_of(text: Generation) -> Trace:
    assert text.trace is not None
    return text.trace


STORY = {
    read("ab"): "Joe is a man. Dropped.",
    read("", " Joe is a man."): "He saw{0.5} Paris{0.3} once. Dropped again.",
    read("cd", " Joe is a man."): "He saw Rome{0.2} twice. More.",
    read("", " Joe is a man. He saw Rome twice."): "The end.",
}


def test_the_whole_trace_of_a_script_is_as_the_paper_says() -> None:
    shelf = Shelf({"He saw  once.": "cda"})
    model = Weighed(STORY)
    text = flare(model, shelf, theta=0.8, beta=0.4).generate([ASK], Sampling(256))[0]
    assert text.text == "Joe is a man. He saw Rome twice. The end."
    assert text.finish_reason == "stop"

    def drawn(tokens: Sequence[str], *p: float) -> dict[str, Any]:
        return {"tokens": tuple(tokens), "probabilities": pytest.approx(p)}

    first = drawn(("Joe", " is", " a", " man."), 0.95, 0.95, 0.95, 0.95)
    doubtful = drawn(("He", " saw", " Paris", " once."), 0.95, 0.5, 0.3, 0.95)
    again = drawn(("He", " saw", " Rome", " twice."), 0.95, 0.95, 0.2, 0.95)
    last = drawn(("The", " end."), 0.95, 0.95)
    keep = 'keep: 0 of {} tokens below 0.8, the lowest 0.950 of "{}"'
    assert trace_of(text) == Trace(
        (
            Event("search", queries=("Who is Joe?",), documents=shown("a", "b")),
            Event("draft", "Joe is a man.", **first),
            Event("decide", note=keep.format(4, "Joe")),
            Event("write", "Joe is a man.", **first, documents=shown("a", "b")),
            Event("draft", "He saw Paris once.", **doubtful),
            Event("decide", note='search: 2 of 4 tokens below 0.8, the lowest 0.300 of "Paris"'),
            Event("search", queries=("He saw  once.",), documents=shown("c", "d")),
            Event("write", "He saw Rome twice.", **again, documents=shown("c", "d")),
            Event("draft", "The end.", **last),
            Event("decide", note=keep.format(2, "The")),
            Event("write", "The end.", **last),
            Event("stop", note="the model ended the text"),
        ),
        calls=4,
        searches=2,
        tokens=5 + 6 + 5 + 2,
    )
    assert shelf.asked == ["Who is Joe?", "He saw  once."]
    assert model.calls == 4


def test_a_question_mark_is_what_makes_a_question_of_the_asker_and_its_rankings_take_turns() -> None:
    story = {
        read("ab"): "Joe saw Paris{0.3} in nineteen hundred and fifty four{0.1} twice.",
        read("xyz"): "Joe saw Rome.",
    }
    asked: list[str] = []

    def asker(prompt: Any, _: Any) -> str:
        asked.append(prompt.text)
        return (
            "What did Joe see? He"
            if '"Paris"' in prompt.text
            else "When was it? "
            if '"four"' in prompt.text
            else "No."
        )

    shelf = Shelf({"What did Joe see?": "xyv", "When was it?": "xz"})
    model = flare(Weighed(story), shelf, query="explicit", asker=ScriptedModel(asker), k=3, initial="first")
    shelf.found["Who is Joe?"] = "ab"
    trace = trace_of(model.generate([ASK], Sampling(256))[0])
    searched = [event for event in trace.events if event.kind == "search"][1]
    assert searched.queries == ("What did Joe see?", "When was it?")
    assert [document.id for document in searched.documents] == list("xyz")
    assert (trace.calls, trace.searches) == (4, 3)
    assert trace.tokens == 10 + 6 + 3 + 3  # draft, two questions, sentence: in words
    assert all("Joe saw Paris in nineteen hundred and fifty four twice." in text for text in asked)


def test_without_a_question_the_masked_sentence_is_searched_for_and_without_a_word_the_users_question() -> None:
    story = {read("ab"): "Paris{0.1} saw{0.9} Joe{0.9}.", read("cd"): "Done."}
    shelf = Shelf({"Who is Joe?": "ab", "saw Joe.": "cd"})
    text = flare(Weighed(story), shelf, query="explicit", asker=ScriptedModel(lambda *_: "No")).generate([ASK])[0]
    assert shelf.asked == ["Who is Joe?", "saw Joe."]
    assert text.text == "Done."
    empty = Shelf()
    flare(Weighed({read("ab"): "Paris{0.1}."}), empty, beta=0.4).generate([ASK])
    assert empty.asked == ["Who is Joe?"]  # kept from the first search, and asked no second time


SENTENCES = [[0.9, 0.6], [0.95, 0.85], [0.9, 0.3], [0.99, 0.99]]


def fixed(prompt: sf.Prompt, _: Any) -> str:
    """Always the same sentences, whatever was found."""
    place = prompt.text.count(".", prompt.text.index("A:"))
    first, second = SENTENCES[place]
    return f"One{place}{{{first}}} is{place}{{{second}}}. More" if place < len(SENTENCES) - 1 else "Last{0.99}."


def shares_at(theta: float, **settings: Any) -> tuple[int, int, str]:
    """Drafts that were searched for, drafts, text."""
    text = flare(Weighed(fixed), theta=theta, **settings).generate([ASK], Sampling(256))[0]
    decided = [event.note for event in trace_of(text).events if event.kind == "decide"]
    return sum(note.startswith("search") for note in decided), len(decided), text.text


def test_the_share_of_searched_sentences_rises_with_theta_from_none_to_all() -> None:
    found = [shares_at(theta)[0] for theta in (0.0, 0.3, 0.31, 0.6, 0.7, 0.86, 0.99, 1.0)]
    assert found == [0, 0, 1, 1, 2, 3, 3, 4]


def test_a_trace_counts_the_tokens_that_its_rule_doubts() -> None:
    told = {}
    for rule in ("paper", "released"):
        text = flare(Weighed(lambda *_: "Joe{0.8} lives{0.8} here{0.9}."), theta=0.8, rule=rule).generate([ASK])[0]
        told[rule] = next(event.note for event in trace_of(text).events if event.kind == "decide")
    assert told["paper"].startswith("keep: 0 of 3 tokens below 0.8")
    assert told["released"].startswith("search: 2 of 3 tokens at most 0.8")


def test_the_released_code_searches_always_at_theta_zero() -> None:
    assert [shares_at(theta, rule="released")[0] for theta in (0.0, 0.2, 0.3, 0.6)] == [4, 0, 1, 2]


TINY = [sf.Prompt((Part("input", f"Is {n} odd?"),)) for n in (3, 4)]


@pytest.mark.parametrize("initial", ["none", "first-keep"])
@pytest.mark.parametrize("chat", [False, True])
def test_with_theta_zero_the_text_is_the_plain_one_behind_the_documents_of_the_question(
    initial: str, chat: bool
) -> None:
    model, shelf = tiny.causal(chat=chat), Shelf()
    sampling = Sampling(60)
    treated = flare(model, shelf, theta=0.0, initial=initial, look_ahead=9).generate(TINY, sampling)
    below = model if initial == "none" else Rag(Shelf(), k=2).apply(model)
    for text, plain in zip(treated, below.generate(TINY, sampling), strict=True):
        count = len(text.token_ids)
        assert text.token_ids == plain.token_ids[:count]
        assert not model.vocabulary.decode(plain.token_ids)[len(text.text) :].strip()  # white space at the end goes
    assert [trace_of(text).searches for text in treated] == [int(initial != "none")] * 2
    assert min(trace_of(text).calls for text in treated) > 5


def teacher_forced(model: Any, prompt: sf.Prompt, begun: Sequence[int], own: Sequence[int]) -> list[float]:
    """p of tokens behind a prompt and what was written, by a plain forward pass."""
    ids = [*model.encode([prompt])[0], *begun, *own]
    with torch.inference_mode():
        logits = model.model(input_ids=torch.tensor([ids]).to(model.model.device)).logits[0].float().softmax(-1)
    start = len(ids) - len(own)
    return [float(logits[start + n - 1, token]) for n, token in enumerate(own)]


@pytest.mark.parametrize("prefix_sharing", [True, False])
def test_reported_probabilities_are_those_of_a_plain_forward_pass(prefix_sharing: bool) -> None:
    model = tiny.causal(prefix_sharing=prefix_sharing)
    treated = flare(model, theta=1.0, look_ahead=7, initial="first")
    for prompt, text in zip(TINY, treated.generate(TINY, Sampling(40)), strict=True):
        at, seen = 0, 0
        for event in trace_of(text).events:
            if event.kind == "write":
                own = text.token_ids[at : at + len(event.tokens)]
                expected = teacher_forced(model, treated.grounded(prompt, event.documents), text.token_ids[:at], own)
                assert event.probabilities == pytest.approx(expected, abs=1e-4)
                at, seen = at + len(own), seen + bool(event.documents)
        assert at == len(text.token_ids)
        assert seen > 3
        assert text.logprobs[:at] == pytest.approx([math.log(p) for p in all_written(text)], abs=1e-6)


def all_written(text: Generation) -> list[float]:
    return [p for event in trace_of(text).events if event.kind == "write" for p in event.probabilities]


def test_probabilities_are_those_before_temperature_and_truncation() -> None:
    model = tiny.causal()
    text = flare(model, theta=0.0, initial="none").generate(TINY[:1], Sampling(12, temperature=3.0, top_k=3, seed=1))[0]
    assert all_written(text) == pytest.approx(teacher_forced(model, TINY[0], [], text.token_ids), abs=1e-4)


def test_an_old_search_never_stands_before_a_later_draft() -> None:
    text = flare(Weighed(fixed), Shelf({"Who is Joe?": "xy"}), theta=0.7).generate([ASK], Sampling(256))[0]
    wrote = [[document.id for document in e.documents] for e in trace_of(text).events if e.kind == "write"]
    assert wrote == [["a", "b"], [], ["a", "b"], []]


def test_the_documents_of_the_question_can_be_kept_before_drafts_and_beside_what_is_found() -> None:
    shelf = Shelf({"Who is Joe?": "xy"}, rest="ay")
    settings = {"initial": "first-keep", "context": "keep-initial"}
    text = flare(Weighed(fixed), shelf, theta=0.7, **settings).generate([ASK], Sampling(256))[0]
    wrote = ["".join(document.id for document in e.documents) for e in trace_of(text).events if e.kind == "write"]
    assert wrote == ["xya", "xy", "xya", "xy"]


@pytest.mark.parametrize(
    ("mode", "queries", "calls"),
    [
        ("none", [], 1),
        ("single", ["Who is Joe?"], 1),
        ("previous-sentence", ["Who is Joe?", "One0 is0.", "One1 is1.", "One2 is2."], 4),
    ],
)
def test_what_the_passive_modes_ask(mode: str, queries: list[str], calls: int) -> None:
    shelf, model = Shelf(), Weighed(fixed)
    trace = trace_of(flare(model, shelf, mode=mode).generate([ASK], Sampling(256))[0])
    assert shelf.asked == queries
    assert (trace.calls, model.calls, trace.searches) == (calls, calls, len(queries))


def test_a_passive_mode_reads_what_was_found_last() -> None:
    shelf = Shelf({"One0 is0.": "cd", "One1 is1.": "ef"})
    trace = trace_of(flare(Weighed(fixed), shelf, mode="previous-sentence").generate([ASK], Sampling(256))[0])
    wrote = ["".join(document.id for document in e.documents) for e in trace.events if e.kind == "write"]
    assert wrote == ["ab", "cd", "ef", "ab"]


def test_texts_of_different_lengths_are_written_whole_in_one_call_each() -> None:
    texts = flare(Weighed(lambda *_: "a b c d e f g h"), mode="none").generate([ASK, ASK], [Sampling(3), Sampling(7)])
    assert [text.text.split() for text in texts] == [list("abc"), list("abcdefg")]
    assert [trace_of(text).calls for text in texts] == [1, 1]


def test_a_text_that_ended_asks_for_nothing_more() -> None:
    shelf = Shelf()
    model = flare(ScriptedModel(lambda *_: "He [Search(was)]"), shelf, mode="instruct", bias=0.0, cool_down=0)
    (text,) = model.generate([ASK], Sampling(99))
    assert shelf.asked == ["Who is Joe?"]
    assert (text.text, trace_of(text).searches) == ("He", 1)


def test_a_window_is_asked_for_after_so_many_tokens() -> None:
    model, shelf = tiny.causal(), Shelf()
    treated = flare(model, shelf, mode="previous-window", window=6)
    text = treated.generate(TINY[:1], Sampling(20))[0]
    wrote = [event for event in trace_of(text).events if event.kind == "write"]
    assert [len(event.tokens) for event in wrote] == [6, 6, 6, 2]
    assert "".join(event.text for event in wrote) == model.vocabulary.decode(text.token_ids).rstrip("\ufffd")
    assert shelf.asked == ["Is 3 odd?", *(event.text.strip() for event in wrote[:3])]
    assert trace_of(text).events[-1].note == "max_new_tokens 20 reached"


def test_a_script_that_asks_is_answered_and_its_calls_are_not_in_the_text() -> None:
    asked: list[str] = []

    def script(prompt: sf.Prompt, _: Any) -> str:
        asked.append(prompt.text)
        behind = prompt.text.rpartition("A:")[2]
        return (
            "Rome." if "now)]" in behind else "in [Search(now)] Gone." if "(was)]" in behind else "He [Search(was)] no"
        )

    shelf = Shelf({"was": "c", "now": "d"})
    text = flare(ScriptedModel(script), shelf, mode="instruct", bias=0.0, cool_down=0).generate([ASK], Sampling(99))[0]
    assert text.text == "He in Rome."
    assert shelf.asked == ["Who is Joe?", "was", "now"]
    found = [re.findall(r"\[\d\] (\w)\.", prompt) for prompt in asked]
    assert found == [["A", "B"], ["C"], ["D"]]
    assert all(prompt.startswith("Skill 1.") for prompt in asked)


def test_follow_up_lines_are_searched_for() -> None:
    def script(prompt: sf.Prompt, _: Any) -> str:
        behind = prompt.text.rpartition("A:")[2]
        return "\nSo the answer is: Rome." if "Follow up" in behind else "Follow up: Where is he?\nIntermediate"

    shelf = Shelf()
    text = flare(ScriptedModel(script), shelf, mode="decomposition").generate([ASK], Sampling(99))[0]
    assert shelf.asked == ["Who is Joe?", "Where is he?"]
    assert text.text == "Follow up: Where is he?\nSo the answer is: Rome."


def test_the_bias_makes_the_model_open_a_search_and_then_not_until_it_has_cooled_down() -> None:
    model = tiny.causal()
    bracket = model.encoder.tokenizer.convert_tokens_to_ids("[")
    eager = flare(model, mode="instruct", bias=1000.0, cool_down=5, look_ahead=40, initial="none")
    eager.opened = lambda prompt: prompt
    text = eager.generate(TINY[:1], Sampling(12))[0]
    assert text.token_ids == (bracket,) * 12  # nothing was searched yet, so nothing cools down
    eager._favoured.searched = [3]
    cooled = eager._favoured.generate(
        TINY[:1], Sampling(12), [Generation("", (bracket,) * 3, (0.0,) * 3, "interrupted")]
    )
    assert [token == bracket for token in cooled[0].token_ids[3:]] == [False] * 5 + [True] * 4


def test_the_defaults_are_those_of_the_paper_on_2wikimultihopqa_and_of_its_code() -> None:
    """Jiang et al. 2023: theta 0.8, beta 0.4, 2 on "[", windows of 16; code: 2 documents, 64 tokens ahead, gap 5."""
    own = Flare(Shelf())
    assert (own.drafting.theta, own.drafting.beta, own.favouring.bias, own.drafting.window) == (0.8, 0.4, 2.0, 16)
    assert (own.k, own.drafting.look_ahead, own.drafting.gap, own.mode, own.query) == (2, 64, 5, "direct", "implicit")
    assert (own.initial, own.context, own.drafting.rule) == ("first", "replace", "paper")
    assert own.favouring.cool_down == 10  # "the next few tokens"


def test_a_text_ends_when_its_steps_do() -> None:
    text = flare(Weighed(lambda *_: "Again. And"), max_steps=5).generate([ASK], Sampling(1000))[0]
    assert text.text.count("Again.") == 5
    assert text.finish_reason == "length"
    assert trace_of(text).events[-1] == Event("stop", note="max_steps 5 reached")


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("instruct", "decomposition")])
def test_every_step_writes_a_token_so_the_text_ends_at_its_limit(mode: str) -> None:
    text = flare(tiny.causal(), mode=mode, theta=1.0, look_ahead=3, window=3).generate(TINY[:1], Sampling(17))[0]
    wrote = [len(event.tokens) for event in trace_of(text).events if event.kind == "write"]
    assert min(wrote) >= 1
    assert sum(wrote) == len(text.token_ids) <= 17


def test_a_model_without_probabilities_is_refused_with_the_mode_that_needs_none() -> None:
    deaf = Weighed(fixed, can=frozenset({"generate"}))
    with pytest.raises(NotAvailable, match=r'needs logprobs .* use mode="previous-sentence"'):
        flare(deaf)
    assert flare(deaf, mode="previous-sentence").generate([ASK], Sampling(99))[0].text.endswith("Last.")
    with pytest.raises(NotAvailable, match="use bias=0 and cool_down=0"):
        flare(deaf, mode="instruct")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"theta": 1.5}, "theta is 1.5"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"mode": "drect"}, 'Did you mean "direct"'),
        ({"query": "implict"}, 'Did you mean "implicit"'),
        ({"rule": "papers"}, 'Did you mean "paper"'),
        ({"window": 0}, "window is 0"),
        ({"initial": "none", "context": "keep-initial"}, "nothing to keep"),
        ({"asker": "gpt"}, "The asker is a str"),
        ({"cool_down": -1}, "cool_down is -1"),
    ],
)
def test_what_cannot_be_is_refused_with_the_value(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput, match=re.escape(part)):
        flare(Weighed(fixed), **settings)
