"""FLARE over theta, its query and context settings and its baselines, on questions of a world, with SmolLM2.

    python benchmarks/flare_sweep.py [questions]

One line a setting: share of drafts searched for; searches, calls and tokens a question; questions whose gold document
was read, and whose answer stands in the text.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.questions.question import Question
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.text.prompt import Part
from surefoot.worlds.corpora import QuestionWorld

ASK = "Answer the question in two or three short sentences. End with: So the answer is: X.\n"
SETTINGS: dict[str, dict[str, Any]] = {
    **{f"direct, theta {theta:g}": {"theta": theta} for theta in (0.0, 0.2, 0.4, 0.8, 1.0)},
    "direct, theta 0.8, raw": {"theta": 0.8, "query": "raw"},
    "direct, theta 0.8, keep-initial": {"theta": 0.8, "context": "keep-initial"},
    **{mode: {"mode": mode} for mode in ("none", "single", "previous-sentence", "previous-window", "instruct")},
    "decomposition": {"mode": "decomposition"},
}


def line(model: Any, index: BM25, questions: Sequence[Question], settings: dict[str, Any]) -> str:
    """The measures of one setting."""
    prompts = [sf.Prompt((Part("instruction", ASK), Part("input", f"{q.text}\n"))) for q in questions]
    texts = sf.treat("flare", model, index=index, **settings).generate(prompts, Sampling(96))
    notes = [e.note for text in texts for e in text.trace.events if e.kind == "decide"]
    drafts = sum(e.kind == "draft" for text in texts for e in text.trace.events)
    share = sum(note.startswith("search") for note in notes) / drafts if drafts else float("nan")
    counts = [sum(getattr(text.trace, name) for text in texts) for name in ("searches", "calls", "tokens")]
    gold = [{d for own in q.evidence for hop in own for d in hop} for q in questions]
    read = sum(bool(own & set(text.trace.documents)) for own, text in zip(gold, texts, strict=True))
    right = sum(any(a.lower() in t.text.lower() for a in q.answers) for q, t in zip(questions, texts, strict=True))
    n = len(questions)
    means = " | ".join(f"{count / n:.1f}" for count in counts)
    return f"{100 * share:.0f} % | {means} | {read}/{n} | {right}/{n}"


def main(count: int = 12) -> None:
    """Print a table."""
    world = QuestionWorld(seed=0, size=400)
    index = BM25.of(Corpus.of(list(world.documents)))
    questions = [q for q in world.questions if q.answers and q.kind in ("single", "bridge")][:count]
    model = sf.load("smollm2", dtype="float32")
    for name, settings in SETTINGS.items():
        print(f"| {name} | {line(model, index, questions, settings)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
