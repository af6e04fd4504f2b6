"""Which sentences are supported by what was read, and which are true: worlds whose table is known, and words."""

from __future__ import annotations

import math

import pytest

from surefoot.models.trace import Event, Shown, Trace
from surefoot.questions.support import Claim, Hallucinations, claims_of, hallucinations, is_supported, is_true, true_in
from surefoot.retrieval.retriever import Document
from surefoot.text.chains import is_reasoning
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_forms import document_forms, filled, read_statement

WORLD = QuestionWorld(seed=4, size=400, count=60)
FACTS = [document for document in WORLD.documents if WORLD.sections[0].role(int(document.id[3:])) == "fact"]


def shown(*documents: Document) -> tuple[Shown, ...]:
    return tuple(Shown(document.id, document.title, document.text) for document in documents)


def said(document: Document, form: int, value: str | None = None) -> str:
    """What a document states, in one of the forms of its relation, with another value where one is given."""
    told = read_statement(document.text)
    assert told is not None
    return filled(document_forms("en", told.relation)[form], subject=told.subject, value=value or told.value)


def test_a_fact_said_in_any_form_is_supported_by_its_document_and_true() -> None:
    for document in FACTS[:60]:
        others = [other for other in FACTS[:60] if other != document]
        for form in range(3):
            claim = Claim(said(document, form), shown(*others[:5], document))
            assert is_supported(claim)
            assert is_true(WORLD, claim)
            assert not is_supported(claim._replace(documents=shown(*others)))


def test_a_wrong_value_is_neither_supported_nor_true_whatever_the_words() -> None:
    stated = {document: read_statement(document.text) for document in FACTS}
    for document, told in list(stated.items())[:60]:
        assert told is not None
        other = next(d for d, s in stated.items() if s and s.relation == told.relation and s.value != told.value)
        wrong = Claim(said(document, 0, str(read_statement(other.text)[2])), shown(document, other))  # type: ignore[index]
        assert not is_supported(wrong)
        assert is_true(WORLD, wrong) is False


def test_what_distractors_and_contradictions_state_is_supported_by_them_and_not_true() -> None:
    section = WORLD.sections[0]
    lies = [d for d in WORLD.documents if section.role(int(d.id[3:])) in ("distractor", "contradiction")]
    assert len(lies) > 40
    for document in lies:
        claim = Claim(said(document, 0), shown(document))
        assert is_supported(claim)
        assert is_true(WORLD, claim) is False


def test_gold_reasoning_is_true_in_its_world_and_not_in_another() -> None:
    for question in (q for q in WORLD.questions if q.kind == "bridge"):
        chain = trace(*question.reasoning)
        assert hallucinations([chain], true_in(WORLD)) == Hallucinations(1, 2, 0, 0, 0)
        assert hallucinations([chain], true_in(QuestionWorld(seed=5, size=400))).failed == 2


def trace(*sentences: str, documents: tuple[Shown, ...] = ()) -> Trace:
    return Trace(tuple(Event("write", sentence, documents=documents) for sentence in sentences))


def test_each_sentence_is_held_against_what_stood_before_the_model_when_it_was_written() -> None:
    first, second = Shown("1", "Ann", "Ann was born in Oslo."), Shown("2", "Oslo", "Oslo lies in Norland.")
    early = Event("write", "Ann was born in Oslo. Oslo lies in Norland. So the answer is: Norland.", documents=(first,))
    late = Event("write", "Oslo lies in Norland.", documents=(first, second))
    reader = Event("read", "Thus it is Norland. Oslo lies in Sudland.", documents=(first, second))
    draft = Event("draft", "Oslo lies in Rome.")
    told = claims_of(Trace((early, draft, late, reader)))
    assert [is_supported(claim) for claim in told] == [True, False, True, False]
    assert hallucinations([Trace((early, draft, late, reader)), Trace((late,))]) == Hallucinations(2, 5, 2, 0, 1)
    assert hallucinations([Trace((early, late))]).share == pytest.approx(1 / 3)
    assert math.isnan(hallucinations([trace("So it is: 4.", "3 + 4 = 7 apples.", "The answer is: Ann.")]).share)


@pytest.mark.parametrize(
    ("sentence", "supported"),
    [
        ("Mary Ferguson directed the film in 1954.", True),
        ("In 1954 Mary Ferguson was directing it.", True),
        ("Mary Ferguson directed the film in 1955.", False),
        ("John Ferguson directed the film in 1954.", False),
        ("Mary Ferguson baked seven enormous loaves in 1954.", False),
        ("The appearance year of Mary Ferguson is 1954.", True),
        ("Mary baked loaves in 1954.", True),  # two words of four, exactly half
        ("Mary baked seven loaves in 1954.", False),  # two of five
    ],
)
def test_a_sentence_of_no_world_needs_names_numbers_and_half_of_its_words(sentence: str, supported: bool) -> None:
    page = Document("p", "Mary Ferguson", "She directed a film about the sea, which came out in 1954.")
    claim = Claim(sentence, shown(Document("q", "John", "John baked enormous loaves, seven of them, in 1955."), page))
    assert is_supported(claim) is supported
    assert is_true(WORLD, claim) is None
    assert hallucinations([trace(sentence)], true_in(WORLD)) == Hallucinations(1, 1, 0, 1, 0)


def test_the_share_is_of_the_claims_that_could_be_told() -> None:
    assert Hallucinations(texts=2, claims=5, failed=1, untold=1, tainted=1).share == 1 / 4
    assert math.isnan(Hallucinations(texts=1, claims=3, untold=3).share)
    fact = said(FACTS[0], 0)
    wrong = said(FACTS[0], 0, "Nowhere")
    told = hallucinations([trace(fact, wrong, "Mary baked loaves.")], true_in(WORLD))
    assert (told, told.share) == (Hallucinations(1, 3, 1, 1, 1), 1 / 2)


def test_words_that_stand_in_two_documents_do_not_make_one_that_supports() -> None:
    halves = shown(Document("a", "", "Mary directed a film."), Document("b", "", "Ferguson was there in 1954."))
    assert not is_supported(Claim("Mary Ferguson directed a film in 1954.", halves))


def test_conclusions_and_sums_claim_nothing() -> None:
    for text in ("So the answer is: Rome.", "therefore Rome", "3 x 4 = 12 legs.", " That is, Rome."):
        assert is_reasoning(text)
    assert not is_reasoning("Sofia was born in 1970.")
    assert not is_reasoning("It ran from 1970-1980.")
