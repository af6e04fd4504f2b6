"""Question worlds against brute force: what all documents state, read back from their text alone."""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter, defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from surefoot.errors import BadInput
from surefoot.questions.decomposition import run
from surefoot.worlds.corpora import ALL_KINDS, KINDS, QuestionWorld
from surefoot.worlds.corpus_forms import LANGUAGES, read_question, read_statement
from surefoot.worlds.corpus_layout import Layout
from surefoot.worlds.corpus_reader import Table
from surefoot.worlds.implicit_questions import existed
from surefoot.worlds.names import index_of, name_of

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and as at be been being by did do does for had has have in into is it its of on one or that the than then"
        " there they this to was were what when where which who whom with would you",
    )
)
SETTINGS = [(0, 400), (1, 1000), (5, 3000)]


@cache
def world(seed: int, size: int) -> QuestionWorld:
    return QuestionWorld(seed, size, ALL_KINDS, count=140, languages=LANGUAGES)


@cache
def table(seed: int, size: int) -> dict[tuple[str, str, str], dict[str, list[str]]]:
    """(language, relation, subject) -> value -> ids, read from every document of the corpus."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for document in world(seed, size).documents:
        language = document.id.split("-")[0]
        stated = read_statement(document.text, language)
        assert stated is not None, document
        assert document.title == stated.subject
        found[language, stated.relation, stated.subject][stated.value].append(document.id)
    return found


def content(text: str) -> set[str]:
    """Words that carry meaning, without endings."""
    words = set(re.findall(r"\w+", text.lower())) - FUNCTION_WORDS
    return {re.sub(r"(s|ed|ing)$", "", word) if len(word) > 4 else word for word in words}


@pytest.mark.parametrize(("seed", "size"), SETTINGS)
def test_facts_are_recomputed_from_the_documents(seed: int, size: int) -> None:
    found = table(seed, size)
    for section in world(seed, size).sections:
        roles = Counter(section.role(place) for place in range(len(section)))
        stated = {
            (section.language, *section.truth(n)[:2]): n for n in range(len(section.facts)) if section.document(n)
        }
        assert len(stated) == roles["fact"]
        for key, number in stated.items():
            ids = found[key][section.truth(number).value]
            assert section.document(number) in ids
            against = section.contradiction(number)
            others = [id for value, ids in found[key].items() if value != section.truth(number).value for id in ids]
            assert others == [id for id in (against,) if id]
        assert roles["contradiction"] == sum(section.contradiction(n) is not None for n in range(len(section.facts)))
        assert len([key for key in found if key[0] == section.language and key not in stated]) <= roles["distractor"]


@pytest.mark.parametrize(("seed", "size"), SETTINGS)
def test_gold_documents_hold_the_answers_of_their_steps_and_the_last_hop_the_answer(seed: int, size: int) -> None:
    this = world(seed, size)
    for question in this.questions:
        ids = [id for hop in (question.evidence or ((),))[0] for id in hop]
        texts = {id: this.documents.find(id).text for id in ids}
        for step in question.steps:
            assert all(step.answer in texts[id] for id in step.documents)
        if question.kind in ("single", "bridge", "counterfactual"):
            assert question.answers[0] in texts[ids[-1]]
        if question.kind != "contradicted":
            assert [id for step in question.steps for id in step.documents] == ids
        stated = question.answers[0] if question.answers else "unknown"
        assert question.reasoning[-1] == f"So the answer is: {stated}."


@pytest.mark.parametrize(("seed", "size"), SETTINGS)
def test_the_second_document_of_a_bridge_shares_no_content_word_with_the_question(seed: int, size: int) -> None:
    bridges = QuestionWorld(seed, size, ("bridge",), count=80)
    for question in bridges.questions:
        first, second = (bridges.documents.find(hop[0]) for hop in question.evidence[0])
        assert not content(question.text) & content(f"{second.title} {second.text}")
        assert content(question.text) & content(f"{first.title} {first.text}")
        assert second.title in first.text


@pytest.mark.parametrize(("seed", "size"), SETTINGS)
def test_no_document_answers_an_unanswerable_question_and_half_ask_about_known_entities(seed: int, size: int) -> None:
    found = table(seed, size)
    known = {key[::2] for key in found}
    asked = [question for question in world(seed, size).questions if question.kind == "unanswerable"]
    assert {question.language for question in asked} == set(LANGUAGES)
    topical = 0
    for question in asked:
        relation, subject = read_question(question.text, question.language) or ("", "")
        assert (question.language, relation, subject) not in found
        assert not question.answers
        assert not question.evidence
        topical += (question.language, subject) in known
    assert 0.25 < topical / len(asked) < 0.75


@pytest.mark.parametrize(("seed", "size"), SETTINGS)
def test_answerable_questions_of_one_hop_have_one_answer_in_all_documents_and_contradicted_ones_two(
    seed: int, size: int
) -> None:
    found = table(seed, size)
    for question in world(seed, size).questions:
        if question.kind in ("single", "contradicted"):
            relation, subject = read_question(question.text, question.language) or ("", "")
            values = found[question.language, relation, subject]
            assert set(values) == set(question.answers)
            assert {id for ids in values.values() for id in ids} >= set(question.evidence[0][0])
            assert len(values) == (1 if question.kind == "single" else 2)


def test_distractors_name_another_value_for_a_similar_entity() -> None:
    (section,) = QuestionWorld(2, 2000).sections
    truths = {section.truth(n)[:2]: section.truth(n).value for n in range(len(section.facts))}
    distractors = [place for place in range(len(section)) if section.role(place) == "distractor"]
    assert len(distractors) == 300
    for place in distractors:
        stated, fact = section.statement(place), section.facts[section.layout.cast(place).fact]
        assert stated[:2] not in truths
        assert stated.subject[:6] == fact.subject[:6]
        assert stated.value != fact.answer


def test_distractors_of_a_large_world_keep_off_its_own_names_and_those_that_are_asked_for() -> None:
    (section,) = QuestionWorld(0, 1_000_000).sections
    types = {
        "born-in": "person",
        "works-as": "person",
        "lies-in": "town",
        "founded-in": "town",
        "founded-by": "company",
    }
    for place in range(0, 1_000_000, 499):
        if section.role(place) == "distractor":
            stated = section.statement(place)
            k = index_of(types[stated.relation], stated.subject, section.key)
            assert k is not None
            assert k >= section.subjects
            assert k % 2 == 0


def test_scripts_are_what_they_are_said_to_be() -> None:
    names = {"en": "LATIN", "ru": "CYRILLIC", "hi": "DEVANAGARI", "th": "THAI"}
    for document in world(1, 1000).documents:
        language = document.id.split("-")[0]
        letters = [char for char in document.text if char.isalpha()]
        assert all(unicodedata.name(char).startswith(names[language]) for char in letters), document
        assert unicodedata.normalize("NFC", document.text) == document.text
        assert language != "th" or " " not in document.text


@given(st.integers(25, 5000), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_every_fact_has_one_document_or_none_and_every_contradiction_is_found(size: int, d: int, c: int) -> None:
    layout = Layout(size, d, c, "key")
    casts = [layout.cast(place) for place in range(size)]
    stating = {cast.fact: place for place, cast in enumerate(casts) if cast.role == "fact"}
    against = {cast.fact: place for place, cast in enumerate(casts) if cast.role == "contradiction"}
    assert len(stating) == sum(cast.role == "fact" for cast in casts)
    assert max(stating) + 1 == layout.facts
    assert {n: layout.place(n) for n in range(layout.facts) if layout.place(n) is not None} == stating
    assert {n: p for n in range(layout.facts) if (p := layout.contradicting(n)) is not None} == against
    assert {cast.fact for cast in casts} <= set(stating)


@given(st.sampled_from(["person", "town", "country", "company"]), st.integers(0, 800_000), st.integers(0, 99))
def test_a_name_is_read_back(type: str, k: int, seed: int) -> None:
    assert index_of(type, name_of(type, k, seed), seed) == k
    assert index_of(type, f"x{name_of(type, k, seed)}", seed) is None


def test_a_world_is_a_function_of_its_seed_and_fewer_questions_are_the_first_ones() -> None:
    again, fewer = QuestionWorld(1, 1000, ALL_KINDS, 140, LANGUAGES), QuestionWorld(1, 1000, ALL_KINDS, 14, LANGUAGES)
    assert again.questions == world(1, 1000).questions
    assert list(again.documents) == list(world(1, 1000).documents)
    assert fewer.questions == again.questions[:14]
    assert not {q.text for q in again.questions} & {q.text for q in QuestionWorld(2, 1000, ALL_KINDS, 140).questions}


def test_kinds_take_turns_yes_and_no_are_balanced_and_several_forms_are_used() -> None:
    this = QuestionWorld(3, 5000, count=600)
    assert Counter(q.kind for q in this.questions) == dict.fromkeys(KINDS, 100)
    assert Counter(q.answers for q in this.questions if q.kind == "implicit") == {("yes",): 50, ("no",): 50}
    assert len({q.id for q in this.questions}) == len({q.text for q in this.questions}) == 600
    assert {len(q.steps) for q in this.questions if q.kind == "implicit"} == {3, 4, 5}


def test_implicit_questions_say_yes_as_often_as_no_whatever_the_strategy_and_the_table_agrees() -> None:
    this = QuestionWorld(6, 2000, ("implicit",), 120)
    counts = Counter((len(q.steps), q.answers[0]) for q in this.questions)  # each strategy has its number of steps
    assert {steps for steps, _ in counts} == {3, 4, 5}
    assert all(counts[steps, "yes"] == counts[steps, "no"] for steps in (3, 4, 5))
    table = Table.of(this.documents)
    assert all(run(q, table.answer).answer == q.answers[0] for q in this.questions)
    firsts = [q.answers[0] for q in this.questions[::2]]
    assert 15 <= firsts.count("yes") <= 45  # which of a pair comes first tells nothing
    assert QuestionWorld(6, 2000, ("implicit",), 40).questions == this.questions[:40]


def test_a_coin_at_every_draw_leaves_fewer_yes_than_no() -> None:
    drawn = QuestionWorld(3, 5000, ("implicit",), 300, balanced=False).questions
    assert sum(q.answers == ("yes",) for q in drawn) < 0.45 * len(drawn)


def test_the_year_that_is_asked_about_tells_the_answer_no_better_than_chance() -> None:
    rng = random.Random(0)
    towns = range(1100, 1951)
    section = QuestionWorld(0, 20_000).sections[0]
    asked = [existed(section, rng, turn % 2 == 0) for turn in range(4000)]
    years = {
        answer: [int(q.steps[-1].text.split()[-1][:-1]) for q in asked if q and q.answers == (answer,)]
        for answer in ("yes", "no")
    }
    assert min(map(len, years.values())) > 500
    assert all(towns[0] + 70 <= year <= towns[-1] - 70 for own in years.values() for year in own)
    assert ks_2samp(years["yes"], years["no"]).pvalue > 0.01
    apart = [abs(int(q.steps[1].answer) - int(q.steps[-1].text.split()[-1][:-1])) for q in asked if q]
    assert (min(apart), max(apart)) == (10, 70)


def test_a_million_documents_are_not_kept_and_places_work_as_in_a_list() -> None:
    large = QuestionWorld(0, 1_000_000, languages=("en", "th"))
    documents = large.documents
    assert len(documents) == 1_000_000
    assert documents[999_999] == documents[-1] == documents[999_998:][1]
    assert documents.find(documents[700_000].id) == documents[700_000]
    assert not [name for name in vars(large) if name in ("documents", "questions")]
    with pytest.raises(IndexError):
        documents[1_000_000]
    with pytest.raises(BadInput, match='"en-500000"'):
        documents.find("en-500000")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"size": 99}, "size is 99; a world of questions has 100 to 1,000,000 documents"),
        ({"kinds": ("brige",)}, 'no kind of question "brige". Did you mean "bridge"'),
        ({"languages": ("en", "fr")}, 'no language "fr"'),
        ({"languages": ("ru",)}, 'first language is "ru"'),
        ({"kinds": ()}, "Nothing was asked for"),
        ({"distractors": 9, "contradictions": 2}, "9 distractors and 2 contradictions"),
        ({"count": 0}, "count is 0"),
    ],
)
def test_a_world_that_cannot_be_made_is_refused_with_the_value(settings: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        QuestionWorld(**settings)  # type: ignore[arg-type]


def test_more_questions_than_a_world_has_are_refused() -> None:
    with pytest.raises(BadInput, match="no 500 different questions"):
        _ = QuestionWorld(0, 100, ("bridge",), count=500).questions


def test_a_section_ends_where_its_documents_end() -> None:
    (section,) = QuestionWorld(2, 100).sections
    assert list(section) == section[:]
    with pytest.raises(IndexError):
        section[len(section)]
