"""The treatment rag: what the model reads, whole documents within the budget, and sentences cut at their tokens."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import pytest
import torch

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.models.causal import CausalModel
from surefoot.models.prefix_store import PrefixStore
from surefoot.retrieval.retriever import Document, Hit
from surefoot.text.prompt import Part
from surefoot.text.sentences import first_sentence
from surefoot.treatments.retrieval.rag import Rag
from surefoot.treatments.retrieval.showing import fitting, question_of, with_documents
from surefoot.treatments.retrieval.writing import Sentence, next_sentences

PAGES = [Document("a", "Oslo", "Ann was born there."), Document("b", "", "Salt water."), Document("c", "Sea.", "Deep.")]


class Fixed:
    """Always finds the same."""

    digest = "fixed"

    def __init__(self, pages: Sequence[Document] = PAGES) -> None:
        self.pages = pages
        self.batches: list[list[str]] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.batches.append(list(queries))
        return [[Hit(page, 1.0) for page in self.pages[:k]] for _ in queries]


PROMPT = sf.Prompt(
    (
        Part("system", "Be brief."),
        Part("instruction", "Answer.\n"),
        Part("demonstration", "Q: x A: y\n"),
        Part("input", "Question: ", heading=True),
        Part("input", " Where was Ann born? "),
        Part("cue", "\nAnswer:"),
    )
)
NUMBERED = "Search results:\n[1] Oslo. Ann was born there.\n[2] Salt water.\n[3] Sea. Deep.\n\n"


def test_documents_stand_before_the_question_and_can_be_taken_out_again() -> None:
    shown = with_documents(PROMPT, PAGES)
    assert shown.text == f"Answer.\nQ: x A: y\n{NUMBERED}Question:  Where was Ann born? \nAnswer:"
    assert shown.without("context") == PROMPT
    assert with_documents(PROMPT, PAGES[:2], "wikipedia").only("context").text == (
        "Wikipedia Title: Oslo\nAnn was born there.\n\nSalt water.\n\n"
    )
    assert with_documents(PROMPT, []) is PROMPT
    assert question_of(PROMPT) == "Where was Ann born?"
    with pytest.raises(BadInput, match='Did you mean "numbered"'):
        Rag(Fixed(), layout="numberd")


@pytest.mark.parametrize(("budget", "kept"), [(None, 3), (19, 3), (18, 2), (16, 2), (15, 1), (13, 1), (12, 0), (5, 0)])
def test_a_document_that_does_not_fit_is_left_out_whole_and_named(budget: int | None, kept: int) -> None:
    fit = fitting(5, PAGES, "numbered", lambda text: len(text.split()), budget)
    assert len(fit.kept) == kept
    assert fit.kept + fit.dropped == tuple(PAGES)
    words = len(with_documents(sf.Prompt.of("one two three four five"), fit.kept).text.split())
    assert words <= (budget or 19)


def test_the_budget_is_met_to_the_letter_whatever_the_number_of_a_document() -> None:
    pages = [Document(str(n), "", "x" * n) for n in range(1, 12)]
    for kept in (9, 10, 11):
        size = len(with_documents(sf.Prompt.of("Is it?"), pages[:kept]).text)
        for budget, right in ((size, kept), (size - 1, kept - 1)):
            assert len(fitting(len("Is it?"), pages, "numbered", len, budget).kept) == right


def test_the_trace_says_what_was_left_out_and_a_long_question_is_refused() -> None:
    model = sf.ScriptedModel(lambda prompt, _: prompt.text)
    (text,) = Rag(Fixed(), budget=12).apply(model).generate(["Where was Ann born?"], Sampling(max_new_tokens=99))
    assert text.text == "Search results:\n[1] Oslo. Ann was born there.\n\nWhere was Ann born?"
    assert text.trace is not None
    assert text.trace.documents == ("a",)
    assert [event.note for event in text.trace.events if event.kind == "decide"] == [
        "no room in the budget for 2 documents: b, c"
    ]
    with pytest.raises(BadInput, match="The question has 4 tokens and the budget is 3"):
        Rag(Fixed(), budget=3).apply(model).generate(["Where was Ann born?"])


def test_what_is_written_scored_and_chosen_by_reads_the_same_documents_in_one_search() -> None:
    plain, index = tiny.causal(), Fixed(PAGES[:1])
    treated, prompts = Rag(index, k=1).apply(plain), ["Is it?", "Was it there?"]
    asked = [with_documents(sf.Prompt.of(text), PAGES[:1]) for text in prompts]
    sampling = Sampling(max_new_tokens=5)
    assert [t.token_ids for t in treated.generate(prompts, sampling)] == [
        t.token_ids for t in plain.generate(asked, sampling)
    ]
    assert treated.choose(prompts, [["yes", "no"]] * 2) == plain.choose(asked, [["yes", "no"]] * 2)
    assert treated.score([(prompts[0], "yes")]) == plain.score([(asked[0], "yes")])
    assert index.batches == [prompts]


def test_the_default_budget_leaves_room_in_the_context() -> None:
    pages = [Document(str(n), "", "x" * 60) for n in range(9)]
    (text,) = Rag(Fixed(pages), k=9).apply(tiny.causal()).generate(["Is it?"], Sampling(max_new_tokens=3))
    assert text.trace is not None
    assert len(text.trace.documents) == 2
    assert 130 < text.prompt_tokens <= 192


def test_cad_below_takes_the_documents_out_again() -> None:
    doubled = Rag(Fixed(), k=1).apply(sf.treat("cad", tiny.causal(), alpha=1.0))
    by_hand = sf.treat("cad", tiny.causal(), alpha=1.0)
    shown = with_documents(sf.Prompt.of("Is it?"), PAGES[:1])
    assert doubled.choose(["Is it?"], [["yes", "no"]]) == by_hand.choose([shown], [["yes", "no"]])


def test_an_index_must_be_one() -> None:
    with pytest.raises(BadInput, match="rag searches an index; give index=FOLDER"):
        Rag().apply(tiny.causal())
    with pytest.raises(BadInput, match="The index is a int"):
        Rag(3).apply(tiny.causal())


@pytest.mark.parametrize("kind", [tiny.causal, lambda: tiny.causal(chat=True), tiny.t5])
def test_sentences_are_the_models_own_text_cut_at_whole_tokens(kind: object) -> None:
    model = kind()  # type: ignore[operator]
    prompts = [sf.Prompt.of(f"Say {n}. ") for n in range(6)]
    sampling = Sampling(temperature=1.5, seed=4)
    whole = model.generate(prompts, Sampling(max_new_tokens=40, temperature=1.5, seed=4))
    for text, one in zip(whole, next_sentences(model, prompts, None, 40, sampling), strict=True):
        n = len(one.tokens)
        assert one.so_far.token_ids == text.token_ids[:n]
        assert one.probabilities == pytest.approx([math.exp(v) for v in text.logprobs[:n]], abs=1e-5)
        assert "".join(one.tokens) == one.text
        assert len(one.text.rstrip("\ufffd")) >= first_sentence(one.text.rstrip("\ufffd"))


def test_a_sentence_goes_on_where_the_last_one_ended(smollm2: sf.LanguageModel) -> None:
    prompts = [
        sf.Prompt.of("Tell me three things about the sea. Use full sentences."),
        sf.Prompt.of("Who was Dr. Watson?"),
    ]
    first = next_sentences(smollm2, prompts)
    second = next_sentences(smollm2, prompts, [one.so_far for one in first])
    whole = smollm2.generate(prompts, Sampling(max_new_tokens=160))
    for text, one, two in zip(whole, first, second, strict=True):
        assert text.text.startswith(two.so_far.text)
        assert two.so_far.text == one.text + two.text
        assert first_sentence(text.text) == len(one.text.rstrip())


def check_forced(model: CausalModel, prompts: list[sf.Prompt], steps: int, look_ahead: int) -> list[Sentence]:
    """The probabilities of sentences that are written on, with and without kept keys, are those of their tokens read
    in one pass."""
    for store in (None, PrefixStore(2**28)):
        begun: list[Generation] | None = None
        for _ in range(steps):
            model.prefixes = store
            made = next_sentences(model, prompts, begun, look_ahead)
            model.prefixes = None
            begun = [one.so_far for one in made]
            read = model.forced(prompts, [[text.token_ids] for text in begun])
            for one, forced in zip(made, read, strict=True):
                ids = torch.tensor(one.so_far.token_ids)
                right = forced.logits[0].log_softmax(-1).gather(-1, ids[:, None])[:, 0].tolist()
                assert one.so_far.logprobs[: len(ids)] == pytest.approx(right, abs=1e-4)
                own = [math.exp(value) for value in right[len(ids) - len(one.tokens) :]]
                assert one.probabilities == pytest.approx(own, abs=1e-4)
    assert store is not None
    assert store.found > 0
    return made


def test_the_probabilities_of_a_tiny_models_sentences_are_those_of_one_pass() -> None:
    check_forced(tiny.causal(), [sf.Prompt.of(f"Say {n} and say it all once more. ") for n in range(4)], 3, 8)


def test_the_probabilities_of_smollm2s_sentences_are_those_that_it_scores(smollm2: CausalModel) -> None:
    """In float32: in bfloat16 the two ways of reading differ by up to 0.05 in probability."""
    model = smollm2.adapted(copy.deepcopy(smollm2.model).float())
    texts = ["Tell me three things about the sea. Use full sentences.", "Who was Dr. Watson?"]
    prompts = [sf.Prompt.of(text) for text in texts]
    written = [one.so_far for one in check_forced(model, prompts, 2, 8)]
    scores = model.score([(prompt, text.text) for prompt, text in zip(prompts, written, strict=True)])
    for text, score in zip(written, scores, strict=True):
        assert text.token_ids == score.token_ids
        assert text.logprobs[: len(score.logprobs)] == pytest.approx(score.logprobs, abs=1e-4)


def test_a_script_goes_on_behind_its_cue_and_only_the_first_sentence_is_kept() -> None:
    model = sf.ScriptedModel(
        lambda p, _: "" if "Two" in p.text else ("Two is it. Three." if "One" in p.text else "One is it. x.")
    )
    prompts = [sf.Prompt.of("Count:")]
    begun: list[Generation] | None = None
    texts = []
    for _ in range(3):
        (one,) = next_sentences(model, prompts, begun)
        begun = [one.so_far]
        texts.append((one.text, one.ended, one.so_far.text))
    assert texts == [
        ("One is it.", False, "One is it."),
        ("Two is it.", False, "One is it. Two is it."),
        ("", True, "One is it. Two is it."),
    ]
