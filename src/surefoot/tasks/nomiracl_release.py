"""NoMIRACL as it is released: a folder a language with topics, judgements and the judged passages.

    english/topics/test.relevant.tsv        id, question
    english/qrels/test.relevant.tsv         question id, Q0, passage id, relevance (0 or 1)
    english/corpus.jsonl (or .jsonl.gz)     docid, title, text

and the same with `non_relevant` and `dev`. Source: huggingface.co/datasets/miracl/nomiracl; Thakur et al. 2023
(arXiv:2312.11361). As in the released loader, questions without judgements and judgements without a question are left
out. (That loader, reading from the hub, numbers positive passages 0 and negative ones 1; here 1 is relevant.)
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from surefoot.errors import BadInput, nearest
from surefoot.tasks.jsonl import read_jsonl, read_tsv
from surefoot.tasks.nomiracl import ANSWERABLE, UNANSWERABLE, JudgedQuestion, Passage, mixed

LANGUAGES: Mapping[str, str] = {
    "arabic": "ar",
    "bengali": "bn",
    "chinese": "zh",
    "english": "en",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "hindi": "hi",
    "indonesian": "id",
    "japanese": "ja",
    "korean": "ko",
    "persian": "fa",
    "russian": "ru",
    "spanish": "es",
    "swahili": "sw",
    "telugu": "te",
    "thai": "th",
    "yoruba": "yo",
}
"""The folders' names and the codes of their languages."""
FILES = {"relevant": ANSWERABLE, "non_relevant": UNANSWERABLE}
SPLITS = ("test", "dev")


def read_release(
    folder: Path, split: str = "test", languages: Sequence[str] = (), each: int | None = None
) -> tuple[JudgedQuestion, ...]:
    """The questions of a split, in the order of files; passages in an order by ids.

    `folder` is that of one language, or holds those of several, of which `languages` (codes) names some. `each` draws
    so many questions of each subset and language, by their ids; the released baselines have 250. Ids begin with the
    language. Raises `BadInput` with file and line, also where the file a question stands in contradicts its judgements.
    """
    if split not in SPLITS:
        raise BadInput(f'"{split}" is not a split.{nearest(split, SPLITS)}')
    if each is not None and each < 1:
        raise BadInput(f"{each} questions of each subset were asked for; ask for at least one.")
    found = [
        question
        for code, place in _folders(folder, languages).items()
        for file in FILES
        for question in _drawn(_questions(place, code, split, file), each)
    ]
    if not found:
        raise BadInput(f'"{folder}" has no judged questions of the split {split}.')
    return tuple(found)


def _folders(folder: Path, languages: Sequence[str]) -> dict[str, Path]:
    if (folder / "topics").is_dir():
        return {LANGUAGES.get(folder.name, folder.name): folder}
    inside = sorted(one for one in folder.iterdir() if (one / "topics").is_dir())
    there = {LANGUAGES.get(one.name, one.name): one for one in inside}
    if not there:
        raise BadInput(f'"{folder}" holds no release of NoMIRACL; give a folder with topics/, qrels/ and corpus.jsonl.')
    missing = next((code for code in languages if code not in there), None)
    if missing is not None:
        raise BadInput(f'"{folder}" has no language "{missing}".{nearest(missing, there)}')
    return {code: there[code] for code in languages or there}


def _questions(folder: Path, language: str, split: str, file: str) -> Iterator[JudgedQuestion]:
    topics, qrels = (folder / kind / f"{split}.{file}.tsv" for kind in ("topics", "qrels"))
    if not topics.exists() and not qrels.exists():
        return
    judged = _judged(qrels)
    texts = _texts(folder, {docid for own in judged.values() for docid in own})
    seen: set[str] = set()
    for where, (id, text) in read_tsv(topics, ("id", "question")):
        if id in seen:
            raise BadInput(f'{where}: the id "{id}" stands twice; give every question its own.')
        seen.add(id)
        if id not in judged:
            continue
        lost = next((docid for docid in judged[id] if docid not in texts), None)
        if lost is not None:
            raise BadInput(f'{where}: the passage "{lost}" of this question is not in the corpus of {folder}.')
        passages = tuple(Passage(d, texts[d][1], relevant, texts[d][0]) for d, relevant in judged[id].items())
        question = JudgedQuestion(f"{language}/{id}", text, passages, language, split)
        if question.subset != FILES[file]:
            raise BadInput(f"{where}: the file says {file}, and by its judgements the question is {question.subset}.")
        yield mixed(question)


def _judged(path: Path) -> dict[str, dict[str, bool]]:
    """Question, passage, whether it is relevant."""
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for where, (id, _, docid, relevance) in read_tsv(path, ("question id", "Q0", "passage id", "relevance")):
        if relevance not in ("0", "1"):
            raise BadInput(f'{where}: the relevance is "{relevance}"; it must be 0 or 1.')
        if docid in found[id]:
            raise BadInput(f'{where}: the passage "{docid}" of the question "{id}" was judged before; keep one line.')
        found[id][docid] = relevance == "1"
    return found


def _texts(folder: Path, wanted: set[str]) -> dict[str, tuple[str, str]]:
    """Title and text of the passages wanted."""
    packed = folder / "corpus.jsonl.gz"
    found = {}
    for where, record in read_jsonl(packed if packed.is_file() else folder / "corpus.jsonl"):
        if not record.get("docid") or not record.get("text"):
            raise BadInput(f'{where}: a passage needs "docid" and "text".')
        if record["docid"] in wanted:
            found[str(record["docid"])] = (str(record.get("title") or ""), str(record["text"]))
    return found


def _drawn(questions: Iterator[JudgedQuestion], each: int | None) -> list[JudgedQuestion]:
    found = list(questions)
    first = sorted(found, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest())[:each]
    kept = {one.id for one in first}
    return [one for one in found if one.id in kept]
