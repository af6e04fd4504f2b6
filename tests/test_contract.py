"""The contract of everything registered: one matrix over the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest

import marking
import surefoot
import tiny
from surefoot.calibration import lines_of
from surefoot.catalogue import ENTRIES, Entry, checked, find, names
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.memorisation.asking import works_task
from surefoot.memorisation.works import Work
from surefoot.models.base import LanguageModel
from surefoot.models.scripted import ScriptedModel
from surefoot.probes import filling
from surefoot.questions.question import Question, Step
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.runs import read_rows
from surefoot.runs.rows import CELL, ROW_SCHEMA
from surefoot.settings import build
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.nomiracl import JudgedQuestion, Passage, nomiracl_tasks
from surefoot.tasks.questions import question_task
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Part, Prompt
from surefoot.training.adapters import AdapterSettings, new_adapter
from surefoot.treatments import treat, undo

ROOT = Path(__file__).resolve().parents[1]
PROBES = names("probe")
TREATMENTS = names("treatment")
EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(6))
WORDINGS = (
    Instruction("a", "Yes or no?\n{{ input }}\n"),
    Instruction("b", "{{ input }}\nSay yes or no:"),
    Instruction("n", "Say the wrong one of yes and no.\n{{ input }}\n", "negated"),
)
TASK = Task("closed", "binary", EXAMPLES, WORDINGS, fixed_options=True)  # context-conflict knows its tasks by name

PARTS = [Path(mkdtemp(prefix="surefoot-parts-")) / name for name in ("one", "other")]
QUICK = {"task": TASK, "paraphrases": {"closed": [WORDINGS[:2]]}, "steps": 2, "batch": 1, "tokens": 2}
WORKS = works_task(
    [Work(str(n), f"Book {n}", " ".join(f"{n} is odd or even" for _ in range(4)), "x", "y") for n in range(6)],
    prefixes=[3],
    new_tokens=6,
    wordings=(
        *(Instruction(w.id, w.text.replace("input", "prefix")) for w in WORDINGS[:2]),
        Instruction("t", "{{ title }}"),
    ),
)
QUESTIONS = question_task(
    [Question(str(n), f"Is {n} odd?", ("yes",), "single", (((str(n),),),)) for n in range(6)],
    wordings=[replace(w, text=w.text.replace("input", "question")) for w in WORDINGS],
    new_tokens=6,
)
_STEPS = (Step("Which number?", "one"), Step("Is #1 odd?", "yes"))
STEPS = implicit_task(
    [Question(str(n), f"Is {n} odd?", ("no", "yes")[n % 2 :], steps=_STEPS) for n in range(6)],
    conditions=("question", "raw", "steps"),
)
(JUDGED,) = nomiracl_tasks(
    [JudgedQuestion(str(n), f"Is {n} odd?", (Passage("p", f"{n} is.", relevant=False),)) for n in range(6)],
    wordings=[replace(w, text=w.text.replace("{{ input }}", "{{ contexts }}\n{{ question }}")) for w in WORDINGS],
    new_tokens=6,
)
TASKS = {"implicit-reasoning": STEPS, "memorisation": WORKS, "multi-hop": QUESTIONS, "unanswerable": JUDGED}
"""What a probe measures that cannot measure any task."""


def task_of(probe: str) -> Task:
    return TASKS.get(probe, TASK)


INDEX = BM25.of(Corpus.of([Document(str(n), "", f"{n} is odd.") for n in range(6)]))
AMATEUR = tiny.causal(tiny.gpt2_weights())
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "system-prompt": ({"text": "Be brief."}, {"text": "Be loud."}),
    "soft-align": ({**QUICK, "seed": 1}, {**QUICK, "seed": 2}),
    "cad": ({"alpha": 0.5}, {"alpha": 2.0}),
    "watermark": ({"key": marking.key_of("keyed")}, {"key": marking.key_of("self", 2, delta=3.0)}),
    "interleave": ({"text": "*", "unit": "token"}, {"text": "*"}),
    "adapter": ({"path": str(PARTS[0])}, {"path": str(PARTS[1])}),
    "copy-guard": tuple(
        {"works": (Work(w, w, " ".join(w), "x", "y"),), "least": 1} for w in ("abcdefghijklm", "nopqrstuvwxyz")
    ),
    "contrastive-decoding": ({"amateur": AMATEUR, "floor": 0.0}, {"amateur": AMATEUR, "beta": 2.0, "floor": 0.0}),
    "dola": ({"layers": "0", "floor": 0.0}, {"layers": "1", "floor": 0.0}),
    "beam-search": ({"beams": 4}, {"beams": 4, "groups": 2, "diversity": 1.0}),
    "contrastive-search": ({"alpha": 0.6}, {"alpha": 0.9}),
    "speculative": ({"draft": AMATEUR}, {"draft": AMATEUR, "tokens": 2}),
    "flare": ({"index": INDEX, "k": 1, "theta": 1.0}, {"index": INDEX, "k": 1, "theta": 1.0, "initial": "first-keep"}),
    "rag": ({"index": INDEX, "k": 1}, {"index": INDEX, "k": 2}),
    "ircot": tuple({"index": INDEX, "k": k, "max_sentences": 1, "look_ahead": 4} for k in (1, 2)),
    "self-consistency": ({"temperature": 1.5, "read": "text", "samples": 3}, {"samples": 2}),
}
"""Two different settings of each treatment."""

ONCE = {  # none lies on itself
    "ircot", "flare", "interleave", "dola", "beam-search", "contrastive-search", "speculative", "self-consistency"
}  # fmt: skip
EXACT = {"speculative"}  # the model's own texts, in fewer passes; an encoder-decoder writes them token by token

COMMUTING = {"copy-guard"}  # what either layer rules out is ruled out, in whatever order


@pytest.fixture(scope="module", autouse=True)
def parts() -> Iterator[None]:
    """Two soft prompts in folders; all tiny models have the same width."""
    for seed, folder in enumerate(PARTS):
        new_adapter(tiny.causal(), AdapterSettings(tokens=3), seed).save(folder, "tiny")
    yield
    rmtree(PARTS[0].parent)


class Writer(ScriptedModel):
    """Writes, and has states, but ranks nothing."""

    def __init__(self, script: Any) -> None:
        super().__init__(script, can=frozenset({"generate", "hidden_states"}))

    def hidden_states(self, prompts: Sequence[Any], layer: int = -2, position: int = -1) -> np.ndarray:
        return np.asarray([[len(str(prompt)), 1.0] for prompt in prompts], dtype=np.float32)


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in CELL)


def rows_of(
    name: str, model: LanguageModel, task: Task | None = None, **settings: Any
) -> dict[tuple[Any, ...], dict[str, Any]]:
    reading = surefoot.probe(name, model, task or task_of(name), **settings)
    return {key(row): row for row in reading.rows.to_pylist()}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_an_entry_loads_and_has_a_page_and_a_source(entry: Entry) -> None:
    assert callable(entry.load())
    page = ROOT / entry.page
    assert page.is_file(), f"{entry.page} of the {entry.kind} {entry.name} is not written"
    assert len(page.read_text()) > 200
    assert entry.source
    assert not entry.summary.endswith(".")
    assert find(entry.kind, entry.name) is entry


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"kind": "prob"}, 'Did you mean "probe"?'),
        ({"target": "surefoot.probes"}, "module:object"),
        ({"summary": " "}, "says nothing"),
    ],
)
def test_a_bad_entry_is_refused_with_a_sentence(change: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput, match="x") as caught:
        checked([Entry("probe", "x", "m:x", "s", "p", "s")._replace(**change)])
    assert part in str(caught.value)


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        checked([ENTRIES[0], ENTRIES[0]])


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_refuses_a_model_that_lacks_a_capability_and_names_the_fallback(name: str) -> None:
    asked: list[Any] = []
    deaf = ScriptedModel(lambda prompt, _: asked.append(prompt) or "yes", can=frozenset())
    refusal = (
        r'needs (logprobs, which "scripted" does not offer; .*generate|generate, which "scripted" does not offer; )'
    )
    with pytest.raises(NotAvailable, match=refusal):
        surefoot.probe(name, deaf, task_of(name))
    assert not asked
    assert surefoot.probe(name, Writer(lambda *_: "yes"), task_of(name), answering="generate")


@pytest.mark.parametrize("name", PROBES)
def test_rows_of_a_probe_fit_the_schema_and_no_cell_is_there_twice(name: str) -> None:
    rows = surefoot.probe(name, tiny.causal(), task_of(name), recheck=0.5).rows
    assert rows.schema.equals(build(find("probe", name), {}).row_schema)
    assert rows.schema.names[: len(ROW_SCHEMA)] == ROW_SCHEMA.names
    cells = [key(row) for row in rows.to_pylist()]
    assert len(set(cells)) == len(cells) == 18 + 9
    assert {cell[-1] for cell in cells} == {False, True}


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("chat", [False, True])
def test_neither_order_nor_batch_size_changes_a_row(name: str, chat: bool) -> None:
    expected = rows_of(name, tiny.causal(chat=chat), recheck=0)
    asked = task_of(name)
    turned = replace(asked, examples=asked.examples[::-1], wordings=asked.wordings[::-1])
    for task, size in ((turned, 128), (asked, 1), (turned, 4)):
        found = rows_of(name, tiny.causal(chat=chat), task, batch_cells=size, recheck=0)
        assert set(found) == set(expected)
        for cell, row in found.items():
            rounded = {k for k, v in row.items() if isinstance(v, list)}
            assert "option_scores" in rounded or row["text"] is not None
            assert all(row[k] == pytest.approx(expected[cell][k], abs=1e-4) for k in rounded)
            assert {**row, **dict.fromkeys(rounded)} == {**expected[cell], **dict.fromkeys(rounded)}


@pytest.mark.parametrize("name", PROBES)
def test_all_calibrations_of_a_probe_are_read_right(name: str) -> None:
    cases = find("probe", name).load().calibrations()
    assert len(cases) >= 3
    for case in cases:
        lines = lines_of(case)
        assert lines
        assert [line for line in lines if not line.ok] == []


class Stopped(Exception):
    """The machine went down."""


@pytest.mark.parametrize("name", PROBES)
def test_a_stopped_probe_goes_on_with_what_is_missing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    ask = filling.ask

    def failing(model: LanguageModel, cells: Sequence[Any], *rest: Any, **named: Any) -> Any:
        asked.append(len(cells))
        if len(asked) == 3:
            raise Stopped
        return ask(model, cells, *rest, **named)

    monkeypatch.setattr(filling, "ask", failing)
    out = str(tmp_path / "run")
    with pytest.raises(Stopped):
        surefoot.probe(name, tiny.causal(), task_of(name), out=out, batch_cells=4, recheck=0.1)
    assert read_rows(out).num_rows == sum(asked[:2]) == 6
    surefoot.probe(name, tiny.causal(), task_of(name), out=out, batch_cells=4, recheck=0.1)
    assert sum(asked[3:]) == 18 + 2 - 6
    whole = rows_of(name, tiny.causal(), batch_cells=4, recheck=0.1)
    stored = read_rows(out).drop_columns(["run"]).to_pylist()
    assert len(stored) == len(whole)
    assert {key(row): row["predicted"] for row in stored} == {cell: row["predicted"] for cell, row in whole.items()}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_refuses_an_unknown_setting_with_the_nearest(name: str) -> None:
    with pytest.raises(BadInput, match=f'The probe "{name}" has no setting "rechek". Did you mean "recheck"?'):
        surefoot.probe(name, tiny.causal(), task_of(name), rechek=0.1)


MODELS = {
    "plain": tiny.causal,
    "chat": lambda: tiny.causal(chat=True),
    "seq2seq": tiny.t5,
}
PROMPTS = [Prompt((Part("context", "Some are. "), Part("input", "Is 3 odd?"))), "Is 4 odd?\n", "Say no. Is it?"]
OPTIONS = [["yes", "no"]] * 3


def outputs(model: LanguageModel) -> tuple[Any, ...]:
    """Everything a model gives, compared bit by bit."""
    return (
        model.score([(prompt, "yes") for prompt in PROMPTS]),
        model.choose(PROMPTS, OPTIONS),
        model.generate(PROMPTS, Sampling(max_new_tokens=5)),
        model.hidden_states(PROMPTS).tobytes(),
        [model.render(prompt) for prompt in PROMPTS],
        model.show_tokens(PROMPTS[0]),
        model.card,
    )


@pytest.mark.parametrize("name", TREATMENTS)
@pytest.mark.parametrize("kind", MODELS)
def test_a_treated_model_is_a_model_and_undo_gives_the_same_bits(name: str, kind: str) -> None:
    model = MODELS[kind]()
    before = outputs(model)
    treated = treat(name, model, **SETTINGS[name][0])
    assert isinstance(treated, LanguageModel)
    assert treated.can == model.can
    if name in EXACT:
        assert [text.token_ids for text in outputs(treated)[2]] == [text.token_ids for text in before[2]]
    else:
        assert outputs(treated)[:-1] != before[:-1]
    assert undo(treated) is model
    assert outputs(undo(treated)) == before


@pytest.mark.parametrize("name", TREATMENTS)
def test_treatments_stack_and_each_layer_counts(name: str) -> None:
    model = tiny.causal(chat=True)
    once = treat(name, model, **SETTINGS[name][0])
    if name in ONCE:
        with pytest.raises(NotAvailable, match=name):
            treat(name, once, **SETTINGS[name][1])
        return
    twice = treat(name, once, **SETTINGS[name][1])
    other = treat(name, treat(name, model, **SETTINGS[name][1]), **SETTINGS[name][0])
    seen = [layer.choose(PROMPTS, OPTIONS)[0].scores for layer in (model, once, twice, other)]
    assert len(set(seen)) == 4 - (name in COMMUTING)
    assert undo(undo(twice)) is model
    assert twice.name == f"tiny + {name} + {name}"


@pytest.mark.parametrize("name", TREATMENTS)
@pytest.mark.parametrize("kind", MODELS)
def test_a_batch_of_a_treated_model_is_its_items_one_by_one(name: str, kind: str) -> None:
    treated = treat(name, MODELS[kind](), **SETTINGS[name][0])
    sampling = Sampling(max_new_tokens=5)
    together = list(zip(treated.choose(PROMPTS, OPTIONS), treated.generate(PROMPTS, sampling), strict=True))
    for prompt, options, (choice, text) in zip(PROMPTS, OPTIONS, together, strict=True):
        alone = treated.choose([prompt], [options])[0]
        assert choice.scores == pytest.approx(alone.scores, abs=1e-4, rel=3e-5)
        assert treated.generate([prompt], sampling)[0].token_ids == text.token_ids


@pytest.mark.parametrize("name", TREATMENTS)
def test_runs_with_other_settings_of_a_treatment_never_mix(name: str, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    model = tiny.causal()
    first, second = (treat(name, model, **settings) for settings in SETTINGS[name])
    cards = [model.card, first.card, second.card]
    if name not in ONCE:
        cards.append(treat(name, first, **SETTINGS[name][1]).card)
    assert len({repr(card.determinants) for card in cards}) == len(cards)
    surefoot.probe("phrasing", first, TASK, out=out)
    stored = read_rows(out)
    for other in (model, second):
        with pytest.raises(BadInput, match="holds another run"):
            surefoot.probe("phrasing", other, TASK, out=out)
    assert read_rows(out).equals(stored)
    assert surefoot.probe("phrasing", treat(name, model, **SETTINGS[name][0]), TASK, out=out).rows.num_rows == 19


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_refuses_an_unknown_setting_with_the_nearest(name: str) -> None:
    setting = next(iter(SETTINGS[name][0]))
    with pytest.raises(BadInput, match=f'has no setting "{setting}s". Did you mean "{setting}"?'):
        build(find("treatment", name), {f"{setting}s": "x"})


def test_a_model_without_treatment_has_nothing_to_undo() -> None:
    with pytest.raises(BadInput, match='"tiny" has no treatment to undo'):
        undo(tiny.causal())


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("treatment", TREATMENTS)
@pytest.mark.parametrize("answering", ["sum", "mean", "end", "paper", "generate"])
@pytest.mark.parametrize("kind", MODELS)
def test_every_probe_measures_every_treated_model_by_every_scorer(
    name: str, treatment: str, answering: str, kind: str
) -> None:
    treated = treat(treatment, MODELS[kind](), **SETTINGS[treatment][0])
    reading = surefoot.probe(name, treated, task_of(name), answering=answering)
    assert reading.rows.num_rows == 19
    assert reading.summary.model == treated.name
