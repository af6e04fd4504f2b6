"""Builds the bundled suite `demo` from the hand-written sources in `tools/demo_suite/`.

    python tools/make_demo_suite.py [FOLDER]

The JSON and JSONL files under `src/surefoot/tasks/suites/demo/` are the product; the same sources always give the same
bytes. Chance enters through `random.Random(<task>/<what>)` only: the order of items, the wrong options, their places.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "tools" / "demo_suite"
SUITE = ROOT / "src" / "surefoot" / "tasks" / "suites" / "demo"

Record = dict[str, Any]

TEXTS_PER_FRAME = (0, 1, 3)
"""Text i stands in the frames i, i + 1 and i + 3 (mod 5): 15 wordings in which each of the 5 texts is in 3 frames and
each of the 5 frames holds 3 texts, any two texts sharing a frame, so that both effects can be estimated."""


def main(folder: Path = SUITE) -> None:
    settings = json.loads((SOURCES / "tasks.json").read_text(encoding="utf-8"))
    texts: dict[str, list[tuple[str, str]]] = {name: [] for name in settings}
    for name, right, negated in _rows("wordings"):
        texts[name].append((right, negated))
    for name, setting in settings.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        (target / "task.json").write_text(_pretty(_task(name, setting)), encoding="utf-8")
        _write(target / "items.jsonl", _items(name, setting))
        _write(target / "wordings.jsonl", _wordings(name, settings, texts))


# --- tasks and items --------------------------------------------------------------------------------------------------


def _task(name: str, setting: Record) -> Record:
    kept = ("kind", "input_template", "roles", "max_new_tokens", "description")
    task: Record = {"name": name} | {key: setting[key] for key in kept if key in setting}
    if setting["kind"] == "generation":
        task["metric"] = "exact_match"
    if "options" in setting:
        task["fixed_options"] = True
    return task | {"source": "written for Surefoot", "licence": "Apache-2.0"}


def _items(name: str, setting: Record) -> Iterator[Record]:
    drafts = list(BUILDERS[name](setting))
    random.Random(f"{name}/order").shuffle(drafts)
    places = [number % 4 for number in range(len(drafts))]  # each place of a four-way choice is right equally often
    random.Random(f"{name}/places").shuffle(places)
    for number, (draft, place) in enumerate(zip(drafts, places, strict=True), start=1):
        yield {"id": f"{name}/{number:03d}"} | (_placed(draft, place) if "wrong" in draft else draft)


def _placed(draft: Record, gold: int) -> Record:
    options = list(draft["wrong"])
    options.insert(gold, draft["right"])
    return {"fields": draft["fields"], "options": options, "gold": gold}


def _labelled(name: str, field: str) -> Callable[[Record], Iterator[Record]]:
    def build(setting: Record) -> Iterator[Record]:
        for label, text in _rows(name):
            yield _fixed({field: text}, setting["options"], label)

    return build


def _sense(setting: Record) -> Iterator[Record]:
    for start, good, absurd in _rows("sense"):
        yield _fixed({"sentence": f"{start} {good}."}, setting["options"], "yes")
        yield _fixed({"sentence": f"{start} {absurd}."}, setting["options"], "no")


def _follows(setting: Record) -> Iterator[Record]:
    for first, entailed, contradiction in _rows("follows"):
        yield _fixed({"first": first, "second": entailed}, setting["options"], "yes")
        yield _fixed({"first": first, "second": contradiction}, setting["options"], "no")


def _facts(_: Record) -> Iterator[Record]:
    for question, right, *wrong in _rows("facts"):
        yield {"fields": {"question": question}, "right": right, "wrong": wrong}


def _uses(_: Record) -> Iterator[Record]:
    """Wrong objects come from other rooms than the right one, and never from the row's last column (would also do)."""
    rows = list(_rows("uses"))
    for room, purpose, right, *unsuitable in rows:
        banned = {right, *(", ".join(unsuitable).split(", "))}
        pool = [other for place, _, other, *_ in rows if place != room and other not in banned]
        yield {"fields": {"purpose": purpose}, "right": right, "wrong": _draw(f"uses/{purpose}", right, pool)}


def _words(_: Record) -> Iterator[Record]:
    """Wrong words are of the same word class, and none of the row's last column (too near in meaning)."""
    rows = list(_rows("words"))
    for word_class, word, right, *near in rows:
        banned = {right, *(", ".join(near).split(", "))}
        pool = [other for its_class, _, other, *_ in rows if its_class == word_class and other not in banned]
        yield {"fields": {"word": word}, "right": right, "wrong": _draw(f"words/{word}", right, pool)}


def _edited(name: str) -> Callable[[Record], Iterator[Record]]:
    """Sentences with one changed word: `We [see/saw] it.` is the item `We see it.` with the answer `We saw it.`"""

    def build(_: Record) -> Iterator[Record]:
        for (line,) in _rows(name):
            start, words, end = re.split(r"[\[\]]", line)
            shown, *accepted = words.split("/")
            yield {"fields": {"sentence": start + shown + end}, "answers": [start + word + end for word in accepted]}

    return build


BUILDERS: dict[str, Callable[[Record], Iterator[Record]]] = {
    "reviews": _labelled("reviews", "review"),
    "topics": _labelled("topics", "message"),
    "kinds": _labelled("kinds", "word"),
    "uses": _uses,
    "facts": _facts,
    "words": _words,
    "sense": _sense,
    "follows": _follows,
    "past": _edited("past"),
    "spelling": _edited("spelling"),
}


def _fixed(fields: dict[str, str], options: list[str], label: str) -> Record:
    return {"fields": fields, "options": options, "gold": options.index(label)}


def _draw(seed: str, right: str, pool: list[str], n: int = 3) -> list[str]:
    """`n` wrong options, none of which begins another or the right one (a step-product scorer would confuse them)."""
    generator = random.Random(seed)
    while True:
        wrong = generator.sample(pool, n)
        if not any(a != b and b.startswith(a) for a in [right, *wrong] for b in [right, *wrong]):
            return wrong


# --- wordings ---------------------------------------------------------------------------------------------------------


def _wordings(name: str, settings: Record, texts: dict[str, list[tuple[str, str]]]) -> Iterator[Record]:
    frames = settings[name]["frames"]

    def wording(klass: str, number: int, text: str, frame: str, note: str = "", origin: str = name) -> Record:
        record = {"id": f"{klass}-{number}@{frame}", "klass": klass, "text": text, "frame": frame}
        record |= {"layout": settings[name]["layout"], "labels": settings[name]["labels"]}
        record |= {"author": "surefoot", "category": settings[origin]["kind"]}
        return record | ({"note": note} if note else {})

    for i, (right, _) in enumerate(texts[name]):
        for shift in TEXTS_PER_FRAME:
            yield wording("right", i + 1, right, frames[(i + shift) % len(frames)])
    # The other classes stand once in each frame, so their means and the right wordings' are over the same frames.
    origins = settings[name]["incorrect_from"]
    for i, frame in enumerate(frames):
        origin = origins[i % len(origins)]
        yield wording("incorrect", i + 1, texts[origin][i][0], frame, f"right wording {i + 1} of {origin}", origin)
    for i, frame in enumerate(frames):
        yield wording("negated", i + 1, texts[name][i][1], frame, f"negates right-{i + 1}@{frame}")
    for i, ((text,), frame) in enumerate(zip(_rows("nonsense"), frames, strict=True)):
        yield wording("nonsense", i + 1, text, frame, "an unrelated sentence instead of the instruction")


# --- files ------------------------------------------------------------------------------------------------------------


def _rows(name: str) -> Iterator[list[str]]:
    for line in (SOURCES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        yield [cell.strip() for cell in line.split(" | ")]


def _write(path: Path, records: Iterator[Record]) -> None:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def _pretty(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
