"""Readers: what they are shown, what they may be asked, how spans are decoded, and how readers are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.probes.implicit_reasoning.calibrations import questions, world
from surefoot.readers.pairs import Pair, PairEncoder, load_encoder, pair_of
from surefoot.readers.rows import SpanRow, YesNoRow, boolq_rows, majority, single_step_rows, span_rows, task_rows
from surefoot.readers.saved import load_reader, save_reader
from surefoot.readers.scratch import scratch_encoder
from surefoot.readers.spans import Span, SpanReader, best_span
from surefoot.readers.stepwise import StepwiseReader
from surefoot.readers.yes_no import YesNoReader
from surefoot.tasks.implicit import OPTIONS
from surefoot.text.prompt import Part, Prompt
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_forms import read_statement

WORDS = "is the boat red at noon or blue by night ? . a b c d e f g h"
SINGLE = QuestionWorld(3, 300, ("single",), 20)


@cache
def encoder(max_tokens: int = 32) -> PairEncoder:
    return scratch_encoder([WORDS], width=16, max_tokens=max_tokens)


def shown(pairs: PairEncoder, pair: Pair) -> tuple[list[str], list[str]]:
    """Tokens of the context and of the question that an encoder reads."""
    encoded = pairs.encoded([pair])
    tokens = pairs.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0].tolist())
    parts = encoded.sequence_ids(0)
    return [t for t, p in zip(tokens, parts, strict=True) if p == 0], [
        t for t, p in zip(tokens, parts, strict=True) if p == 1
    ]


@pytest.mark.parametrize("length", range(12))
def test_only_the_end_of_the_context_is_cut_and_never_a_word_of_the_question(length: int) -> None:
    """For every length of context beside a question that leaves room for no, one and more of its words."""
    context = ["a", "b", "c", "d", "e", "f", "g", "h", "a", "b", "c", "d"][:length]
    for asked in range(1, 10):
        question = ["is", "the", "boat", "red", "at", "noon", "or", "blue", "by"][:asked]
        pair = Pair(" ".join(context), " ".join(question))
        pairs = encoder(12)
        read = shown(pairs, pair)
        assert read == (context[: 12 - 3 - asked], question)
        assert pairs.was_cut(pairs.encoded([pair]), [pair]) == [length > 12 - 3 - asked]


def test_a_question_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInput, match="has 10 tokens and the reader takes 12"):
        encoder(12).encoded([Pair("a", "is the boat red at noon or blue by night")])


def test_a_prompt_is_read_as_its_context_and_its_input() -> None:
    parts = (
        Part("instruction", "Answer. "),
        Part("context", "Passages:\n", heading=True),
        Part("context", "a b.\nc d.\n"),
        Part("input", "Question: ", heading=True),
        Part("input", "is e?"),
        Part("cue", "Answer:"),
    )
    assert pair_of(Prompt(parts)) == Pair("a b.\nc d.", "is e?")
    assert pair_of("is e?") == Pair("", "is e?")
    with pytest.raises(BadInput, match="has no input part"):
        pair_of(Prompt(parts[:3]))


def test_a_pair_has_the_same_result_alone_and_beside_others() -> None:
    reader = YesNoReader.new(encoder())
    pairs = [Pair("a b c"[: 2 * k], "is the boat red at noon ?"[: 8 + 3 * k]) for k in range(4)] * 12
    together = [logs for logs, _, _ in reader.logprobs(pairs)]
    alone = [reader.logprobs([pair])[0][0] for pair in pairs]
    assert together == [pytest.approx(one, abs=1e-5) for one in alone]
    assert [sum(map(np.exp, logs)) for logs in together] == [pytest.approx(1)] * len(pairs)


def test_the_answer_is_the_head_over_the_state_of_the_first_token() -> None:
    reader = YesNoReader.new(encoder(), seed=4)
    pair = Pair("a b", "is c ?")
    ids = encoder().tokenizer("a b", "is c ?", return_tensors="pt")
    with torch.no_grad():
        state = encoder().weights(**ids).last_hidden_state[0, 0]
        _, first, _, _, second = reader.module.head
        expected = torch.log_softmax(second(torch.tanh(first(state))), -1).tolist()
    assert reader.logprobs([pair])[0][0] == pytest.approx(tuple(expected), abs=1e-5)
    (yes,), (no,) = (score.logprobs for score in reader.score([("x", "yes"), ("x", " No")]))
    assert np.exp(yes) + np.exp(no) == pytest.approx(1)


def test_options_are_ranked_in_the_order_in_which_they_are_given() -> None:
    reader = YesNoReader.new(encoder())
    (one,), (other,) = (reader.choose(["is a ?"], [options]) for options in (("yes", "no"), ("no", "yes")))
    assert one.scores == tuple(reversed(other.scores))
    assert (one.index, other.index) in ((0, 1), (1, 0))
    assert one.prompt_tokens == 3 + 3
    cut = YesNoReader.new(encoder(12)).choose([Prompt((Part("context", "a " * 20), Part("input", "is b")))], [OPTIONS])
    assert cut[0].truncated


def test_what_a_classifier_cannot_do_is_refused() -> None:
    reader = YesNoReader.new(encoder())
    with pytest.raises(NotAvailable, match='cannot rank "maybe"'):
        reader.choose(["is a ?"], [("yes", "maybe")])
    with pytest.raises(NotAvailable, match="writes no text"):
        reader.generate(["is a ?"])
    with pytest.raises(NotAvailable, match="scorer sum"):
        reader.choose(["is a ?"], [OPTIONS], "paper")
    with pytest.raises(NotAvailable, match="no distribution of its next token"):
        reader.continuing(["is a ?"], [1])
    with pytest.raises(NotAvailable, match='conditions="question,gold'):
        sf.probe("implicit-reasoning", reader, world())
    with pytest.raises(BadInput, match="max_tokens is 4"):
        load_encoder(_folder(), max_tokens=4)


@cache
def _folder() -> Path:
    import tempfile

    place = Path(tempfile.mkdtemp())
    save_reader(YesNoReader.new(encoder()), place)
    return place


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_the_best_span_is_the_one_that_brute_force_finds(seed: int, tokens: int, longest: int) -> None:
    rng = np.random.default_rng(seed)
    starts, ends = rng.normal(size=tokens), rng.normal(size=tokens)
    inside = rng.random(tokens) < 0.7
    spans = [
        (starts[i] + ends[j], i, j)
        for i in range(tokens)
        for j in range(i, min(tokens, i + longest))
        if inside[i] and inside[j]
    ]
    expected = max(spans, default=None)
    assert best_span(starts, ends, inside.tolist(), longest) == (expected[1:] if expected else None)


def test_a_span_is_cut_out_of_the_text_and_its_probability_counts_all_tokens() -> None:
    reader = SpanReader.new(encoder(), seed=2)
    pair = Pair("the Boat is red, at NOON.", "is a ?")
    (span,) = reader.read([pair])
    encoded = encoder().encoded([pair])
    with torch.no_grad():
        logs = torch.log_softmax(reader.module(encoded)[0], 0).numpy()
    inside = [k for k, part in enumerate(encoded.sequence_ids(0)) if part == 0]
    best = max((logs[i, 0] + logs[j, 1], i, j) for i in inside for j in inside if i <= j)
    offsets = encoded["offset_mapping"][0].tolist()
    assert span.text == pair.context[offsets[best[1]][0] : offsets[best[2]][1]]
    assert span.logprob == pytest.approx(best[0], abs=1e-5)
    assert span.null == pytest.approx(logs[0].sum(), abs=1e-5)
    assert span.is_null == (span.null > span.logprob)
    assert reader.read([pair, Pair("a " * 25, "is b ?")])[0].logprob == pytest.approx(span.logprob, abs=1e-5)


def test_of_several_passages_the_most_probable_span_is_taken() -> None:
    reader = SpanReader.new(encoder(), seed=1)
    passages = ["a b c d", "red at noon", "blue by night e f g"]
    spans = reader.read([Pair(passage, "is h ?") for passage in passages])
    assert reader.best_over("is h ?", passages) == max(spans, key=lambda span: span.logprob)
    assert reader.best_over("is h ?", []).text == reader.read([Pair("", "is h ?")])[0].text == ""
    with pytest.raises(BadInput, match="not in the context"):
        reader.loss([SpanRow(Pair("a b", "is h ?"), "zebra")])


def test_a_stepwise_reader_writes_spans_of_single_passages_and_chooses_as_its_last_reader() -> None:
    read: list[str] = []

    class Noting(SpanReader):
        def read(self, pairs: Sequence[Pair], longest: int | None = None) -> list[Span]:
            read.extend(pair.context for pair in pairs)
            return super().read(pairs, longest)

    last, steps = YesNoReader.new(encoder()), Noting(SpanReader.new(encoder(), seed=1).module)
    model = StepwiseReader(last, steps)
    context = Part("context", "a b c\nred at noon\n")
    prompts = [Prompt((context, Part("input", "is d ?"))), Prompt((Part("input", "is d ?"),))]
    found = model.generate(prompts)
    assert read == ["a b c", "red at noon"]
    assert [one.text for one in found] == [steps.best_over("is d ?", ["a b c", "red at noon"]).text, ""]
    assert model.generate(prompts, Sampling(max_new_tokens=1))[0].text.split()[1:] == []
    assert model.choose(prompts, [OPTIONS] * 2) == last.choose(prompts, [OPTIONS] * 2)
    with pytest.raises(NotAvailable, match="neither draws at random"):
        model.generate(prompts, Sampling(temperature=1.0))
    assert model.card.determinants["spans"] == steps.module.digest()


def test_readers_come_back_from_disk_with_the_same_outputs(tmp_path: Path) -> None:
    pairs = [Pair("a b c", "is d ?"), Pair("", "is e ?")]
    last, steps = YesNoReader.new(encoder(), seed=3, name="mine"), SpanReader.new(encoder(), seed=3)
    save_reader(StepwiseReader(last, steps), tmp_path / "both")
    again = load_reader(tmp_path / "both")
    assert isinstance(again, StepwiseReader)
    assert again.card == StepwiseReader(last, steps).card
    assert again.last.logprobs(pairs) == last.logprobs(pairs)
    assert again.steps.read(pairs) == steps.read(pairs)
    assert not [file for file in (tmp_path / "both").rglob("*") if file.suffix in (".bin", ".pt", ".pkl")]
    with pytest.raises(BadInput, match=r"holds no reader\.json"):
        load_reader(tmp_path)
    assert sf.load(str(tmp_path / "both"), device="cpu").card == again.card
    with pytest.raises(BadInput, match="reader of spans, which says no yes or no"):
        sf.load(str(tmp_path / "both" / "steps"))
    head = tmp_path / "both" / "last" / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-10])
    with pytest.raises(BadInput, match="cut short"):
        load_reader(tmp_path / "both")


def test_boolq_rows_are_read_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "dev.jsonl"
    told = [
        {"question": "is a b", "title": "A", "answer": True, "passage": "A is B."},
        {"question": "is a c", "title": "A", "answer": False, "passage": "A isn't C."},
    ]
    file.write_text("\n".join(map(json.dumps, told)))
    assert boolq_rows(file) == (
        YesNoRow(Pair("A is B.", "is a b"), True),
        YesNoRow(Pair("A isn't C.", "is a c"), False),
    )
    file.write_text(json.dumps({**told[0], "answer": "yes"}))
    with pytest.raises(BadInput, match=r"dev\.jsonl, line 1: \"answer\" is 'yes'"):
        boolq_rows(file)


def test_rows_of_a_task_are_what_the_probe_shows() -> None:
    rows = task_rows(world(), ["gold", "raw"])
    each = world().examples
    assert [row.answer for row in rows] == [q.answers[0] == "yes" for q in questions()] * 2
    assert [row.pair.context for row in rows[: len(each)]] == [e.fields["gold_passages"].strip() for e in each]
    assert [row.pair for row in rows[len(each) :]] == [Pair("", e.fields["raw_step"]) for e in each]
    with pytest.raises(BadInput, match='no wording "golden"'):
        task_rows(world(), ["golden"])


def test_single_steps_are_true_of_their_passages_and_half_of_each_kind_is_yes() -> None:
    rows = single_step_rows(SINGLE, 80)
    for kind in range(4):
        assert sum(row.answer for row in rows[kind::4]) == 10
    for row in rows:
        told = read_statement(row.pair.context.partition(". ")[2])
        if row.pair.question.startswith("Is it true that "):
            asked = read_statement(row.pair.question.removeprefix("Is it true that ").rstrip("?") + ".")
            assert told is not None
            assert row.answer == (asked == told)
        elif " founded before " in row.pair.question:
            assert told is not None
            assert row.answer == (int(told.value) < int(row.pair.question.split()[-1].rstrip("?")))
        else:
            one, other = (
                row.pair.question.removeprefix("Is ").rstrip("?").replace(" the same as ", " before ").split(" before ")
            )
            assert row.pair.context == ""
            assert row.answer == (one < other if one.isdecimal() else one == other)


def test_span_rows_hold_their_answer_or_another_passage() -> None:
    rows = span_rows(SINGLE)
    assert sum(not row.answer for row in rows) == 10
    answers = {q.text: q.answers[0] for q in SINGLE.questions}
    for row in rows:
        assert (answers[row.pair.question] in row.pair.context) == bool(row.answer)


def test_the_majority_baseline_always_gives_the_more_frequent_answer_of_its_rows() -> None:
    rows = [YesNoRow(Pair("", "is a ?"), answer) for answer in (True, False, False)]
    assert [choice.index for choice in majority(rows).choose(["x", "y"], [OPTIONS] * 2)] == [1, 1]
    assert majority(rows[:1]).choose(["x"], [OPTIONS])[0].scores == (0.0, -np.inf)
    with pytest.raises(BadInput, match="no rows"):
        majority([])
