"""What context-aware decoding does for summaries: ROUGE-L, and how much of a summary its document supports.

    python benchmarks/summaries.py stored     the authors' outputs for CNN/DM (LLaMA-7B, top-p 0.9, 100 tokens)
    python benchmarks/summaries.py written    SmolLM2 writes (top-p 0.9, texts into --out, where they are kept)

Both read --data, articles and gold summaries of the authors' repository with the outputs that it stores. A number is a
mean over articles, a change that of the same articles with a bootstrap interval. `chance` is the same summaries against
the next article.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.metrics.answers import rouge_l
from surefoot.metrics.support import support
from surefoot.stats.bootstrap import paired_bootstrap
from surefoot.tasks.summaries import Document, shown_of, summary_task
from surefoot.tasks.task import Task

DATA = Path(__file__).resolve().parents[2] / "shared/data/context-aware-decoding"
COLUMNS = ("ROUGE-L", "words", "pairs", "names and numbers")
Texts = Mapping[str, Sequence[str]]  # texts of an article, by its id


def documents(folder: Path) -> list[Document]:
    rows = map(json.loads, (folder / "cnndm_articles.jsonl").read_text(encoding="utf-8").splitlines())
    return [Document(str(row["article_id"]), row["article"], (row["gold_summary"],)) for row in rows]


def measured(texts: Texts, task: Task, shift: int = 0) -> np.ndarray:
    """Means over the texts of each article, shape (articles, 4); against another article's document with a shift."""
    examples = [example for example in task.examples if example.id in texts]
    found = []
    for place, example in enumerate(examples):
        other = examples[(place + shift) % len(examples)]
        scores = [(rouge_l(t, other.answers[0]), *support(t, shown_of(other))) for t in texts[example.id]]
        found.append(over(np.asarray(scores)))
    return np.asarray(found)


def over(scores: np.ndarray) -> np.ndarray:
    """Means of the columns over what is there; NaN where nothing is."""
    there = np.isfinite(scores)
    return np.divide(
        np.where(there, scores, 0).sum(0), there.sum(0), out=np.full(scores.shape[1], np.nan), where=there.any(0)
    )


def table(arms: Mapping[str, Texts], task: Task) -> None:
    print(f"| | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    scores = {name: measured(texts, task) for name, texts in arms.items()}
    first = next(iter(scores))
    print(row("chance", measured(arms[first], task, 1)))
    for name, own in scores.items():
        print(row(name, own))
    for name, own in scores.items():
        if name != first:
            print(f"| change, {name} | {' | '.join(map(change, own.T, scores[first].T))} |", flush=True)


def row(name: str, scores: np.ndarray) -> str:
    return f"| {name} | {' | '.join(f'{value:.3f}' for value in over(scores))} |"


def change(new: np.ndarray, old: np.ndarray) -> str:
    """Mean of the differences over the articles that have both, with its interval."""
    both = np.isfinite(new) & np.isfinite(old)
    found = paired_bootstrap(old[both].tolist(), new[both].tolist())
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def stored(args: argparse.Namespace) -> None:
    task = summary_task(documents(args.data))
    rows = map(json.loads, (args.data / "cnndm_outputs.jsonl").read_text(encoding="utf-8").splitlines())
    arms: dict[str, dict[str, list[str]]] = {"cnndm_1_0": {}, "cnndm_1.5_-0.5": {}}
    for one in rows:
        arms[one["setting"]].setdefault(str(one["input_index"] // 3), []).append(one["string"][0])
    named = {"alpha 0": arms["cnndm_1_0"], "alpha 0.5": arms["cnndm_1.5_-0.5"]}
    table(named, task)


def written(args: argparse.Namespace) -> None:
    task = summary_task(documents(args.data)[: args.articles], words=args.words, new_tokens=args.tokens)
    model: Any = None
    arms = {}
    for alpha in args.alphas:
        file = args.out / f"alpha {alpha:g}.json"
        if not file.exists():
            model = model or sf.load("smollm2")
            asked = [task.query(example, task.wording("article")).prompt for example in task.examples]
            sampling = Sampling(args.tokens, 1.0, top_p=0.9, seed=args.seed)
            found = sf.treat("cad", model, alpha=alpha).generate(asked, sampling)
            file.write_text(json.dumps({e.id: [t.text] for e, t in zip(task.examples, found, strict=True)}))
        arms[f"alpha {alpha:g}"] = json.loads(file.read_text())
    table(arms, task)
    for example in task.examples[: args.show]:
        for name, texts in arms.items():
            print(f"\n{name}, article {example.id}: {texts[example.id][0]!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stored", "written"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("runs/summaries"))
    parser.add_argument("--alphas", type=float, nargs="+", default=[0, 0.5, 1])
    parser.add_argument("--articles", type=int, default=24)
    parser.add_argument("--words", type=int, default=250, help="of each article that are shown")
    parser.add_argument("--tokens", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=2, help="articles whose summaries are printed")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    do: Mapping[str, Callable[[argparse.Namespace], None]] = {"stored": stored, "written": written}
    do[args.what](args)


if __name__ == "__main__":
    main()
