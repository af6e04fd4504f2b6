"""Models behind an endpoint: scores equal those of the local model whose numbers the endpoint serves."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import command
import surefoot
import tiny
from fake_endpoint import TOKENIZER, Fake, logprobs_of, serving, write
from surefoot.decoding.sampling import Sampling
from surefoot.endpoints import EndpointSettings
from surefoot.endpoints.boundary import answer_starts
from surefoot.endpoints.reading import next_token_scores
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import LanguageModel
from surefoot.probes.letters import SAMPLES, lettered
from surefoot.tasks.task import Example, Task
from surefoot.text.formats import PlainFormat
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Part, Prompt

PROMPTS = ("Is 3 odd?\nAnswer:", "Is 40 even? ", "Say é.")
OPTIONS = (("yes", "no"), ("no", "yes", "maybe not"), ("yes", "é", "nö"))
EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(5))
WORDINGS = (
    Instruction("a", "Yes or no?\n{{ input }}\n"),
    Instruction("b", "{{ input }}\nSay yes or no:"),
    Instruction("n", "Say the wrong one of yes and no.\n{{ input }}\n", "negated"),
)
TASK = Task("odd", "binary", EXAMPLES, WORDINGS, fixed_options=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model as a folder, for its tokenizer."""
    return str(command.save_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as found:
        yield found


def model_at(fake: Fake, format: str = "auto", tokenizer: str | None = None, **settings: Any) -> LanguageModel:
    return surefoot.load(fake.url, format=format, endpoint=EndpointSettings(tokenizer=tokenizer, **settings))


OFFERS: dict[str, dict[str, Any]] = {
    "echo": {},
    "echo with a token": {"wants_a_token": True},
    "one prompt a request": {"lists": False},
    "prompt_logprobs": {"echo": False, "prompt_logprobs": True},
    "no usage": {"usage": False},
}


@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("scorer", ["sum", "mean"])
def test_scores_of_prompt_logprobs_equal_the_local_models(offers: dict[str, Any], scorer: Any) -> None:
    with serving(**offers) as fake:
        found = model_at(fake, "plain").choose(PROMPTS[:2], OPTIONS[:2], scorer)
    for one, other in zip(found, tiny.causal().choose(PROMPTS[:2], OPTIONS[:2], scorer), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
        assert (one.index, one.prompt_tokens) == (other.index, other.prompt_tokens)


@pytest.mark.parametrize("format", ["plain", "chat", "chat-prefill"])
@pytest.mark.parametrize("scorer", ["sum", "end"])
def test_scores_with_the_models_tokenizer_equal_the_local_models(
    fake: Fake, folder: str, format: str, scorer: Any
) -> None:
    local = surefoot.load(folder, format=format, dtype="float32")
    for one, other in zip(
        model_at(fake, format, folder).choose(PROMPTS, OPTIONS, scorer),
        local.choose(PROMPTS, OPTIONS, scorer),
        strict=True,
    ):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
        assert (one.index, one.prompt_tokens) == (other.index, other.prompt_tokens)


def test_score_gives_each_token_the_probability_of_a_forward_pass(fake: Fake) -> None:
    (found,) = model_at(fake, "plain").score([("Is 3 odd?\nAnswer:", "yes")])
    ids = TOKENIZER("Is 3 odd?\nAnswer: yes")["input_ids"]
    values = logprobs_of(ids)
    assert found.logprobs == pytest.approx(
        [float(values[k - 1, ids[k]]) for k in range(len(ids) - len(found.logprobs), len(ids))]
    )
    assert len(found.logprobs) == 2  # " " and "yes"


ROWS = {
    "logprobs plain": ("plain", False, "sum"),
    "logprobs chat": ("chat", True, "sum"),
    "letters": ("chat", True, "letter"),
}


@pytest.mark.parametrize(("format", "tokenizer", "answering"), ROWS.values(), ids=ROWS)
def test_rows_of_a_probe_through_the_endpoint_equal_the_rows_in_process(
    fake: Fake, folder: str, format: str, tokenizer: bool, answering: str
) -> None:
    model = model_at(fake, format, folder if tokenizer else None)
    _same_rows(model, surefoot.load(folder, format=format, dtype="float32"), answering)


def test_letters_by_the_endpoints_own_template_equal_the_local_models(fake: Fake, folder: str) -> None:
    """A random model's letters are seldom among 20 candidates: all are asked for."""
    fake.chat_top = 270
    local = surefoot.load(folder, format="chat", dtype="float32")
    prompts = [lettered(Prompt.of(f"Is {n} odd?"), ("yes", "no")) for n in (3, 4)]
    model: Any = model_at(fake)
    assert model.is_chat
    assert "logprobs" not in model.can
    object.__setattr__(model.offers, "chat_top", 270)
    labels = [("A", "B")] * 2
    for found, expected in zip(model.choose(prompts, labels), local.choose(prompts, labels), strict=True):
        assert found.scores == pytest.approx(expected.scores, abs=1e-4)
        assert found.prompt_tokens == expected.prompt_tokens


def _same_rows(model: LanguageModel, local: LanguageModel, answering: str) -> None:
    one, other = (
        surefoot.probe("phrasing", asked, TASK, answering=answering, recheck=0.3).rows.to_pylist()
        for asked in (model, local)
    )
    assert len(one) == len(other) == 15 + 4
    for row, expected in zip(one, other, strict=True):
        assert row.pop("option_scores") == pytest.approx(expected.pop("option_scores"), abs=1e-4)
        assert {**row, "model": ""} == {**expected, "model": ""}


def test_greedy_text_is_what_the_model_writes(fake: Fake, folder: str) -> None:
    ids = TOKENIZER("Is 3 odd?\nAnswer:")["input_ids"]
    own = write(ids, 6, 0.0, 0)
    expected = "".join(TOKENIZER.decode([token]) for token in own)
    values = logprobs_of([*ids, *own])
    for tokenizer in (None, folder):
        (text,) = model_at(fake, "plain", tokenizer).generate(["Is 3 odd?\nAnswer:"], Sampling(6))
        assert (text.text, text.finish_reason, text.prompt_tokens) == (expected, "length", len(ids))
        assert text.logprobs == pytest.approx([float(values[len(ids) + k - 1, token]) for k, token in enumerate(own)])


def test_completions_with_log_probabilities_in_the_shape_of_chats_are_read_too(fake: Fake) -> None:
    """As llama.cpp's server gives them, without those of the prompt."""
    with serving(echo=False, chat=False, listed=True) as other:
        listed = model_at(other)
        assert listed.can == {"top_logprobs", "generate"}
        texts = listed.generate(["Is 3 odd?"], Sampling(4))
        prompt, labels = ["Is 3 odd?"], [("P", "R")]
        chosen = listed.choose(prompt, labels)
    plain: Any = model_at(fake, "plain")
    assert texts == plain.generate(["Is 3 odd?"], Sampling(4))
    plain.can -= {"logprobs"}
    assert chosen == plain.choose(prompt, labels)


def test_a_chat_is_sent_as_messages_and_cut_before_a_stop_text() -> None:
    with serving(chat_text="It is yes.\nWell") as fake:
        prompt = Prompt((Part("system", "Be brief."), Part("input", "Is 3 odd?")))
        (text,) = model_at(fake).generate([prompt], Sampling(4, temperature=0.5, seed=7, stop=("\n",), top_k=3))
        body = fake.bodies[-1]
    assert text.text == "It is yes."
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is 3 odd?"}]
    assert (body["temperature"], body["seed"], body["stop"], body["top_k"]) == (0.5, 7, ["\n"], 3)
    assert "top_p" not in body


def test_samples_are_shares_of_texts_that_name_an_option() -> None:
    draws = iter(["yes", "no", "yes", "Perhaps.", "Yes!", "no", "", "yes", "yes", "no"])
    model = surefoot.ScriptedModel(lambda *_: next(draws))
    row = surefoot.probe("phrasing", model, _one_cell(), answering="samples", recheck=0).rows.to_pylist()[0]
    assert row["option_scores"] == [0.5, 0.3]
    assert (row["predicted"], row["outcome"]) == ("yes", "wrong")


def test_samples_that_name_nothing_are_unparsed() -> None:
    model = surefoot.ScriptedModel(lambda *_: "Perhaps.")
    row = surefoot.probe("phrasing", model, _one_cell(), answering="samples", recheck=0).rows.to_pylist()[0]
    assert (row["outcome"], row["predicted_index"]) == ("unparsed", None)


def test_samples_at_an_endpoint_are_asked_with_seeds_of_their_own() -> None:
    with serving(chat_text="yes") as fake:
        model = model_at(fake)
        before = len(fake.bodies)
        surefoot.probe("phrasing", model, _one_cell(), answering="samples", recheck=0)
        bodies = fake.bodies[before:]
    assert sorted(body["seed"] for body in bodies) == list(range(SAMPLES))
    assert {body["temperature"] for body in bodies} == {1.0}


def _one_cell() -> Task:
    return Task("odd", "binary", EXAMPLES[:1], WORDINGS[:1], fixed_options=True)


def test_a_lettered_prompt_lists_the_options_before_the_cue() -> None:
    prompt = Prompt((Part("input", "Is 3 odd?\n"), Part("cue", "Answer:")))
    assert lettered(prompt, ("yes", "no")).text == "Is 3 odd?\nA. yes\nB. no\nAnswer with the letter alone.\nAnswer:"


def test_next_token_scores_are_exact_or_else_without_blanks() -> None:
    log = math.log
    top = [["A", log(0.1)], [" A", log(0.3)], ["B", log(0.2)], ["Bob", log(0.4)]]
    assert next_token_scores({"top": top}, ["A", "B"]).scores == pytest.approx((log(0.1), log(0.2)))
    spaced = [[" A", log(0.1)], ["▁A", log(0.3)], [" C", log(0.5)]]
    found = next_token_scores({"top": spaced}, ["A", "B"])
    assert found.scores == pytest.approx((log(0.4), -math.inf))
    assert found.index == 0
    assert next_token_scores({"top": spaced}, ["X", "Y"]).index is None


@pytest.mark.parametrize(
    ("tokens", "answer", "start"),
    [
        (["<s>", "Is", " it", " yes"], " yes", 3),
        (["Is", " it", " y", "es"], " yes", 2),
        (["Is", "it", "yes"], " yes", 2),  # SentencePiece, shown without blanks
        (["Is", "it", " ", "yes"], " yes", 2),
        (["A", ": ", "yes"], " yes", None),  # the blank belongs to the prompt's token
        (["Is", " ityes"], "yes", None),
        (["no"], "yes", None),
        (["e", "s"], "yes", None),
        (["Is it ", "né"], "né", 1),
    ],
)
def test_an_answer_starts_where_a_token_starts(tokens: list[str], answer: str, start: int | None) -> None:
    assert answer_starts(tokens, answer) == start


def test_an_option_that_merges_with_the_prompt_is_refused_without_a_tokenizer(fake: Fake) -> None:
    """`ye` + `s` is one token: behind a prompt that ends in `ye`, `s` has none of its own."""

    @dataclass(frozen=True)
    class Joined(PlainFormat):
        def continuation(self, prompt: Prompt, answer: str) -> str:
            return answer

    model: Any = model_at(fake, "plain")
    model.format = Joined()
    with pytest.raises(BadInput, match=r'option "s" does not begin with a token of its own.*--tokenizer'):
        model.score([("Is it ye\n", "s"), ("Is it ye", "s")])


@pytest.mark.parametrize(
    ("offers", "can"),
    [
        ({}, {"top_logprobs", "generate"}),
        ({"chat_top": 0}, {"generate"}),
        ({"chat": False}, {"logprobs", "top_logprobs", "generate"}),
        ({"chat": False, "echo": False}, {"top_logprobs", "generate"}),
        ({"chat": False, "echo": False, "top": 0}, {"generate"}),
        ({"completions": False, "limit": "max_completion_tokens", "chat_top": 5}, {"top_logprobs", "generate"}),
    ],
)
def test_what_an_endpoint_can_do_is_found_by_asking(offers: dict[str, Any], can: set[str]) -> None:
    with serving(**offers) as fake:
        model: Any = model_at(fake)
        asked = len(fake.asked)
    assert model.can == can
    assert asked <= 20
    told = model.card.details["offers"]
    assert told["chat completions"] == offers.get("chat", True)
    assert told["candidates of the next token"]["chat"] == (
        0 if not offers.get("chat", True) else offers.get("chat_top", 20)
    )
    assert told["same request, same answer"] is True


def test_a_probe_that_needs_more_is_refused_with_the_ways_that_are_left(fake: Fake) -> None:
    ways = r"needs logprobs.*--tokenizer or --format plain, or .*--scorer letter.*, or .*--scorer generate"
    with pytest.raises(NotAvailable, match=ways):
        surefoot.probe("phrasing", model_at(fake), TASK)
    assert len(fake.bodies) < 20


def test_neither_order_nor_company_changes_a_score(fake: Fake) -> None:
    model = model_at(fake, "plain", concurrency=3, together=2)
    prompts = [f"Is {n} odd?\n" for n in range(9)]
    together = threading.Barrier(3)  # nine requests, of which three are held until all three are there

    def held(_: Any) -> bool:
        together.wait(timeout=20)
        return False

    fake.faults = lambda _, __: held
    whole = model.choose(prompts, [["yes", "no"]] * 9)
    fake.faults = lambda _, __: None
    alone = [model_at(fake, "plain").choose([prompt], [["yes", "no"]])[0] for prompt in reversed(prompts)]
    assert [c.scores for c in whole] == [pytest.approx(c.scores, abs=1e-6) for c in reversed(alone)]
    assert fake.most_under_way == 3


def test_the_only_model_is_taken_and_of_several_one_must_be_named(fake: Fake) -> None:
    assert model_at(fake).name == "tiny"
    fake.names = ("tiny", "other")
    with pytest.raises(BadInput, match=r"has 2 models \(tiny, other\); name one: http.*#tiny"):
        surefoot.load(fake.url)
    assert surefoot.load(f"{fake.url}#tiny").name == "tiny"
    assert surefoot.load(fake.url, model="tiny").name == "tiny"
    with pytest.raises(BadInput, match="give one of them"):
        surefoot.load(f"{fake.url}#tiny", model="other")


def test_a_tokenizer_of_another_model_is_refused(fake: Fake, tmp_path: Path) -> None:
    words = tiny.tokenizer()
    vocabulary = words.backend_tokenizer.get_vocab()
    path = tmp_path / "other"
    words.save_pretrained(path)
    text = (path / "tokenizer.json").read_text()
    a, b = vocabulary["e"], vocabulary["r"]
    (path / "tokenizer.json").write_text(
        text.replace(f'"e": {a},', '"e": 9999,').replace(f'"r": {b},', f'"r": {a},').replace('"e": 9999,', f'"e": {b},')
    )
    with pytest.raises(NotAvailable, match="does not take the token ids of the tokenizer"):
        model_at(fake, "plain", str(path))


def test_a_treatment_of_prompts_works_on_an_endpoint(fake: Fake) -> None:
    treated = surefoot.treat("system-prompt", model_at(fake, "plain"), text="Be brief.")
    (found,) = treated.choose(["Is 3 odd?\n"], [["yes", "no"]])
    local = surefoot.treat("system-prompt", tiny.causal(), text="Be brief.")
    assert found.scores == pytest.approx(local.choose(["Is 3 odd?\n"], [["yes", "no"]])[0].scores, abs=1e-4)


def test_comparing_two_ways_of_scoring_is_warned_of(folder: str) -> None:
    local = surefoot.load(folder, format="chat", dtype="float32")
    one = surefoot.probe("phrasing", local, TASK)
    other = surefoot.probe("phrasing", local, TASK, answering="letter")
    told = " ".join(surefoot.compare(one, other).pairs[0].warnings)
    assert "differ in scorer (sum, letter)" in told


def test_settings_that_only_local_models_have_are_refused(fake: Fake) -> None:
    with pytest.raises(BadInput, match="is an endpoint"):
        surefoot.load(fake.url, truncate="left")
    with pytest.raises(BadInput, match="is no endpoint"):
        surefoot.load("smollm2", model="x")
    with pytest.raises(BadInput, match="needs the model's tokenizer"):
        surefoot.load(fake.url, format="chat-prefill")
