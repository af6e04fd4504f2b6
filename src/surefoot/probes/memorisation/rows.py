"""The rows of the memorisation probe: answers, drawn or greedy, and what of the work stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.memorisation.asking import start_of
from surefoot.memorisation.scoring import HOLE, reference_of, scored_words
from surefoot.metrics.overlap import longest_common_run, longest_common_subsequence
from surefoot.metrics.suffix_automaton import SuffixAutomaton
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Cell

if TYPE_CHECKING:
    from surefoot.decoding.sampling import Sampling
    from surefoot.probes.memorisation.probe import Memorisation

Row = dict[str, Any]
Words = tuple[str, ...]


class Asked(NamedTuple):
    """The scored answers of a cell as words, what they are compared with, and how many words were echoes."""

    answers: tuple[Words, ...]
    reference: Words
    echoed: int


def extended(probe: Memorisation, model: LanguageModel, cells: Sequence[Cell], rows: Sequence[Row]) -> list[Row]:
    """The rows with samples and scores. `score` is the longest run as a share of the reference, so that `compare` sees
    it; `gold` is the reference and `predicted` the run itself."""
    texts = [[row.get("text") or ""] for row in rows] if probe.budget == "new" else _greedy(probe, model, cells, rows)
    samples = [[] for _ in rows] if not probe.samples else _drawn(probe, model, cells, rows)
    found = []
    for cell, row, text, drawn in zip(cells, rows, texts, samples, strict=True):
        new = {**row, "text": text[0], "samples": drawn or None}
        found.append({**new, **_scores(asked(probe, cell, new))})
    return found


def asked(probe: Memorisation, cell: Cell, row: Row) -> Asked:
    """What of a row is compared: its samples where there are any, or else its greedy text."""
    text = cell.example.answers[0]
    reference = reference_of(text, start_of(cell.wording), probe.window, probe.normalise)
    prompt = cell.query.prompt.text
    scored = [scored_words(one, prompt, reference, probe.normalise) for one in row["samples"] or [row["text"] or ""]]
    return Asked(tuple(words for words, _ in scored), reference, sum(echoed for _, echoed in scored))


def _scores(asked: Asked) -> Row:
    runs = [longest_common_run(words, asked.reference) for words in asked.answers]
    subsequences = [longest_common_subsequence(words, asked.reference) for words in asked.answers]
    run = sum(runs) / len(runs)
    written = any(word != HOLE for words in asked.answers for word in words)
    best = asked.answers[runs.index(max(runs))]
    share = run / len(asked.reference)
    return {
        "outcome": "unparsed" if not written else "right" if share >= 1 else "wrong",
        "score": share,
        "gold": " ".join(asked.reference),
        "predicted": " ".join(common_run(best, asked.reference)),
        "longest_run": run,
        "subsequence": sum(subsequences) / len(subsequences),
        "reference_words": len(asked.reference),
        "echoed": asked.echoed,
    }


def common_run(text: Sequence[str], reference: Sequence[str]) -> Sequence[str]:
    """The words of the longest run that both have, the first one in the reference."""
    matching = SuffixAutomaton(text).matching(reference)
    if not matching.size or not matching.max():
        return ()
    end = int(matching.argmax()) + 1
    return reference[end - int(matching.max()) : end]


def _greedy(probe: Memorisation, model: LanguageModel, cells: Sequence[Cell], rows: Sequence[Row]) -> list[list[str]]:
    """Greedy texts within a budget that counts the prompt."""
    return _written(model, cells, [_sampling(probe, cell, row) for cell, row in zip(cells, rows, strict=True)], rows)


def _drawn(probe: Memorisation, model: LanguageModel, cells: Sequence[Cell], rows: Sequence[Row]) -> list[list[str]]:
    """For each cell its samples, in the order of their seeds."""
    plain = [_sampling(probe, cell, row) for cell, row in zip(cells, rows, strict=True)]
    columns = []
    for number in range(probe.samples):
        drawn = [one and replace(one, temperature=probe.temperature, seed=probe.seed + number) for one in plain]
        columns.append([texts[0] for texts in _written(model, cells, drawn, rows)])
    return [list(texts) for texts in zip(*columns, strict=True)]


def _sampling(probe: Memorisation, cell: Cell, row: Row) -> Sampling | None:
    """The budget of a cell; None where its prompt takes all of it."""
    from surefoot.decoding.sampling import Sampling

    room = cell.task.max_new_tokens - (row.get("prompt_tokens") or 0 if probe.budget == "inclusive" else 0)
    return Sampling(max_new_tokens=room) if room > 0 else None


def _written(
    model: LanguageModel, cells: Sequence[Cell], sampling: Sequence[Sampling | None], rows: Sequence[Row]
) -> list[list[str]]:
    places = [place for place, one in enumerate(sampling) if one is not None]
    prompts = [cells[place].query.prompt for place in places]
    written = model.generate(prompts, [one for one in sampling if one is not None]) if places else []
    texts = {place: generation.text for place, generation in zip(places, written, strict=True)}
    return [[texts.get(place, "")] for place in range(len(rows))]
