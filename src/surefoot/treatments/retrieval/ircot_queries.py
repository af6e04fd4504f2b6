"""What is searched for after a sentence of a chain of thought, and what of the findings is taken.

Source: Trivedi et al. 2023 (ACL), arXiv:2212.10509, section 3, and the released code (wh-words, sentences that only
reason, fuzzy duplicates, limits in words).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.retrieval.retriever import Document
from surefoot.text.chains import is_reasoning
from surefoot.text.sentences import sentences

WH_WORDS = frozenset(("who", "what", "when", "where", "why", "which", "how", "does", "is"))
QUERIES = ("last", "question+cot", "cot", "random")


@dataclass(frozen=True)
class Hygiene:
    """Each rule can be switched off.

    `wh_words` takes question words out of queries. `skip_reasoning` searches by the last sentence that states a fact.
    `similar` is the percentage of likeness of titles and of texts from which two documents count as one (0: only equal
    ids do). `words` are shown of a document at most (0: all); one of more than `longest` is not taken
    (0: any is).
    """

    wh_words: bool = True
    skip_reasoning: bool = True
    similar: float = 90.0
    words: int = 350
    longest: int = 600

    def __post_init__(self) -> None:
        if not 0 <= self.similar <= 100:
            raise BadInput(f"similar is {self.similar}; use a percentage, or 0 to compare ids only.")
        for name in ("words", "longest"):
            if getattr(self, name) < 0:
                raise BadInput(f"{name} is {getattr(self, name)}; use a number of words, or 0 for no limit.")


def query_of(question: str, chain: Sequence[str], mode: str, hygiene: Hygiene) -> str:
    """The query behind the last sentence: that sentence, question and chain, or the chain.

    `last` goes back to the last sentence that states a fact, and to the question where none does.
    """
    if mode == "last":
        facts = [s for s in chain if not (hygiene.skip_reasoning and is_reasoning(s))]
        query = facts[-1] if facts else question
    else:
        query = " ".join([*([question] if mode == "question+cot" else []), *chain])
    return without_wh_words(query) if hygiene.wh_words else query.strip()


def random_sentence(corpus: Sequence[Document], key: str) -> str:
    """A sentence of a corpus, drawn by a key: the query of an ablation, which knows nothing of the chain of thought."""
    draw = random.Random(key)
    spans = sentences(corpus[draw.randrange(len(corpus))].text)
    return draw.choice(spans).text if spans else ""


def without_wh_words(query: str) -> str:
    """The query without question words; as it was where nothing else is left."""
    words = [word for word in query.split() if word.strip("?,.:;!").lower() not in WH_WORDS]
    return " ".join(words) or query.strip()


class Taken(NamedTuple):
    """Documents that were added, and what was said of the others."""

    documents: tuple[Document, ...]
    notes: tuple[str, ...]


def take(found: Sequence[Document], held: Sequence[Document], cap: int, hygiene: Hygiene) -> Taken:
    """Those of the found documents that are new, up to `cap` of all; long ones are left out or shortened."""
    new: list[Document] = []
    notes: list[str] = []
    for document in found:
        count = len(document.text.split())
        if hygiene.longest and count > hygiene.longest:
            notes.append(f"{document.id} has {count} words and was not taken")
        elif not any(_same(document, other, hygiene.similar) for other in (*held, *new)):
            if len(held) + len(new) >= cap:
                notes.append(f"{document.id} is over the cap of {cap} documents")
                continue
            if hygiene.words and count > hygiene.words:
                notes.append(f"{document.id} was cut to {hygiene.words} of its {count} words")
            new.append(shortened(document, hygiene.words))
    return Taken(tuple(new), tuple(notes))


def shortened(document: Document, words: int) -> Document:
    """The document with its first `words` words; as it is where it has no more, or `words` is 0."""
    own = document.text.split()
    return document._replace(text=" ".join(own[:words])) if 0 < words < len(own) else document


def _same(one: Document, other: Document, similar: float) -> bool:
    if one.id == other.id:
        return True
    if not similar:
        return False
    from rapidfuzz import fuzz

    return all(fuzz.ratio(a, b) >= similar for a, b in ((one.title, other.title), (one.text, other.text)))
