"""What the watermark costs and finds on SmolLM2: quality against delta and gamma, power under attacks, speed.

    python benchmarks/watermark.py quality       texts into --out, then a table (texts that are there are kept)
    python benchmarks/watermark.py attacks       detection of those texts after edits
    python benchmarks/watermark.py plot          docs/watermark.svg from the table
    python benchmarks/watermark.py detection     tokens/s beside transformers' detector, on the same ids
    python benchmarks/watermark.py generation    time of a token beside plain generation

Prompts are the first words of news articles (--articles, a JSON Lines file with article and gold summary).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

import surefoot as sf
from surefoot.decoding.forced import chain
from surefoot.decoding.sampling import Sampling
from surefoot.metrics.answers import rouge_l
from surefoot.models.base import LanguageModel
from surefoot.stats.intervals import wilson
from surefoot.text.instruction import RIGHT
from surefoot.watermark import Detector, Key, Scheme, tokens_of
from surefoot.watermark.attacks import Delete, Homoglyphs, Paste, Substitute
from surefoot.watermark.model_attacks import Paraphrase, Spans
from surefoot.watermark.power import power_curve

ARTICLES = Path(__file__).resolve().parents[2] / "shared/data/context-aware-decoding/cnndm_articles.jsonl"
GRID = ((0.25, 1.0), (0.25, 2.0), (0.25, 4.0), (0.5, 2.0), (0.5, math.inf))
SECRET = b"the secret of the benchmark"
BUDGETS = (0.0, 0.1, 0.3, 0.5)
Setting = tuple[float, float]


def key_of(gamma: float, delta: float, hash: str = "keyed") -> Key:
    tokens = tokens_of("smollm2")
    scheme = Scheme(tokens.vocabulary or 0, gamma, hash, 1)
    secret: Any = 15485863 if hash == "left" else SECRET
    return Key(scheme, secret, delta, tokens.digest, tokens.spec)


def named(setting: Setting | None) -> str:
    return "plain" if setting is None else f"gamma {setting[0]:g}, delta {setting[1]:g}"


def marked(model: LanguageModel, setting: Setting | None) -> LanguageModel:
    return model if setting is None else sf.treat("watermark", model, key=key_of(*setting))


# --- quality ----------------------------------------------------------------------------------------------------------


def write_texts(args: argparse.Namespace) -> None:
    """One file a setting: continuations of articles, summaries of articles, and forced choices of the demo suite."""
    from surefoot.tasks.loading import load_tasks

    articles = [json.loads(line) for line in args.articles.read_text(encoding="utf-8").splitlines()][: args.texts]
    heads = [" ".join(one["article"].split()[:60]) for one in articles]
    asked = ["Summarise the article in two sentences.\n\n" + " ".join(a["article"].split()[:150]) for a in articles]
    (reviews,) = load_tasks("demo/reviews", limit=20)
    plain, chat = (sf.load("smollm2", format=kind) for kind in ("plain", "chat"))
    for setting in (None, *GRID):
        file = args.out / f"{named(setting)}.json"
        if file.exists():
            continue
        started = time.perf_counter()
        found = marked(plain, setting).generate(heads, Sampling(args.tokens, 1.0, seed=1))
        short = marked(chat, setting).generate(asked, Sampling(60, 1.0, seed=1))
        told = {
            "texts": [
                {"ids": t.token_ids, "text": t.text, "plain": t.plain_logprobs[: len(t.token_ids)]} for t in found
            ],
            "rouge": [
                rouge_l(t.text, " ".join(a["article"].split()[60:210])) for t, a in zip(found, articles, strict=True)
            ],
            "summary": [rouge_l(t.text, a["gold_summary"]) for t, a in zip(short, articles, strict=True)],
            "reviews": _accuracy(marked(chat, setting), reviews),
            "seconds": time.perf_counter() - started,
        }
        file.write_text(json.dumps(told), encoding="utf-8")
        print(f"{named(setting)}: {told['seconds']:.0f} s", flush=True)


def _accuracy(model: LanguageModel, task: Any) -> list[bool]:
    """Right choices of a task's items under two right wordings, by the distribution that also writes."""
    wordings = [one for one in task.wordings if one.klass in RIGHT][:2]
    queries = [task.query(example, wording) for wording in wordings for example in task.examples]
    chosen = model.choose([query.prompt for query in queries], [query.labels for query in queries])
    return [choice.index == query.gold for choice, query in zip(chosen, queries, strict=True)]


def surprise(model: LanguageModel, heads: list[str], rows: list[list[int]]) -> list[list[float]]:
    """log p of each token of each text right behind its prompt; `score` would put a space between the two."""
    found = []
    for head, ids in zip(heads, rows, strict=True):
        (forced,) = model.forced([head], [[ids]])
        found.append(chain(forced.logits[0], ids))
    return found


def table(args: argparse.Namespace) -> None:
    print(
        "| | z | green | found | perplexity | ROUGE-L | summary ROUGE-L | reviews |\n|---|---|---|---|---|---|---|---|"
    )
    for row in measured(args):
        low, high = 100 * row["found"].low, 100 * row["found"].high
        print(
            f"| {row['name']} | {row['z']:.1f} | {row['share']:.3f} "
            f"| {100 * row['found'].value:.0f} % ({low:.0f} to {high:.0f}) "
            f"| {row['perplexity']:.1f} | {row['rouge']:.3f} | {row['summary']:.3f} | {100 * row['reviews']:.0f} % |"
        )


def measured(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a setting. Plain text is counted under the key of gamma 0.25, delta 2."""
    rows = []
    for setting in (None, *GRID):
        told = json.loads((args.out / f"{named(setting)}.json").read_text(encoding="utf-8"))
        detector = Detector(key_of(*(setting or (0.25, 2.0))))
        counts = [detector.ids(one["ids"]) for one in told["texts"]]
        rows.append(
            {
                "name": named(setting),
                "setting": setting,
                "z": mean(count.z for count in counts),
                "share": sum(count.green for count in counts) / sum(count.scored for count in counts),
                "found": wilson(sum(count.verdict == "watermarked" for count in counts), len(counts)),
                "perplexity": math.exp(-mean(value for one in told["texts"] for value in one["plain"])),
                **{name: mean(told[name]) for name in ("rouge", "summary", "reviews")},
            }
        )
    return rows


def plot(args: argparse.Namespace) -> None:
    """Mean z against perplexity, one mark a setting."""
    from surefoot.report.scatter import ticks

    rows = measured(args)
    right, top = 1.08 * max(row["perplexity"] for row in rows), 1.12 * max(row["z"] for row in rows)
    width, height, left, low = 560, 320, 48, 44

    def at(row: dict[str, Any]) -> tuple[float, float]:
        return left + width * row["perplexity"] / right, height - height * max(0.0, row["z"]) / top

    marks = []
    for row in rows:
        x, y = at(row)
        anchor, shift = ("end", -9) if x > 0.7 * width else ("start", 9)
        name = row["name"].replace("inf", "hard")
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="#1f5f8b"/>')
        marks.append(f'<text x="{x + shift:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{name}</text>')
    for value in ticks(0, right):
        marks.append(
            f'<text x="{left + width * value / right:.1f}" y="{height + 18}" text-anchor="middle">{value:g}</text>'
        )
    for value in ticks(0, top):
        marks.append(
            f'<text x="{left - 8}" y="{height - height * value / top + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    line = height - height * 4 / top
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -10 {left + width + 20} {height + low + 10}"
 font-family="sans-serif" font-size="12" fill="#222" role="img" aria-label="Mean z against perplexity">
<rect x="0" y="-10" width="100%" height="100%" fill="#fff"/>
<path d="M{left} 0V{height}H{left + width}" stroke="#888" fill="none"/>
<path d="M{left} {line:.1f}H{left + width}" stroke="#b55" stroke-dasharray="4 4"/>
<text x="{left + width}" y="{line - 5:.1f}" text-anchor="end" fill="#b55">z = 4</text>
{chr(10).join(marks)}
<text x="{left + width / 2}" y="{height + 38}" text-anchor="middle">perplexity under the plain model</text>
<text x="{left + 8}" y="8">mean z</text>
</svg>
"""
    (Path(__file__).resolve().parents[1] / "docs/watermark.svg").write_text(svg, encoding="utf-8")


# --- attacks ----------------------------------------------------------------------------------------------------------


def attacks(args: argparse.Namespace) -> None:
    """Power after edits. Words are replaced for two settings, and by the model for the stronger one."""
    articles = [json.loads(line)["article"] for line in args.articles.read_text(encoding="utf-8").splitlines()]
    host = " ".join(articles[args.texts :])
    blind: dict[str, Any] = {
        "delete": Delete,
        "substitute": Substitute,
        "homoglyphs": Homoglyphs,
        "homoglyphs, normalised": Homoglyphs,
        "paste": partial(Paste, host=host, pieces=3),
    }
    plain, chat = (sf.load("smollm2", format=kind) for kind in ("plain", "chat"))
    models: dict[str, Any] = {
        "spans by the model": partial(Spans, model=plain),
        "paraphrase": partial(Paraphrase, model=chat),
    }
    print("| setting | attack | budget | z | green | found |\n|---|---|---|---|---|---|")
    for setting in ((0.25, 2.0), (0.25, 4.0)):
        texts = [one["text"] for one in json.loads((args.out / f"{named(setting)}.json").read_text())["texts"]]
        for name, attack in {**blind, **(models if setting[1] == 4 else {})}.items():
            undo = ("homoglyphs",) if "normalised" in name else ()
            detector = Detector(key_of(*setting), tokens_of("smollm2"), normalise=undo)
            budgets = (1.0,) if name == "paraphrase" else BUDGETS[1:3] if name in models else BUDGETS
            for point in power_curve(texts, attack, budgets, detector):
                low, high = 100 * point.found.low, 100 * point.found.high
                print(
                    f"| {named(setting)} | {name} | {point.budget:g} | {point.z:.1f} | {point.share:.3f} "
                    f"| {100 * point.found.value:.0f} % ({low:.0f} to {high:.0f}) |",
                    flush=True,
                )


# --- speed ------------------------------------------------------------------------------------------------------------


def detection_speed(args: argparse.Namespace, turns: int = 3) -> None:
    """The published scheme on the same ids, in rows of 200 tokens; processor time, so that neighbours count less.

    Everything is made anew at each turn, and a number is the median of the turns.
    """
    tokens = tokens_of("smollm2")
    texts = [json.loads(line)["article"] for line in args.articles.read_text(encoding="utf-8").splitlines()]
    ids = np.concatenate([tokens.ids(text) for text in texts])
    rows = ids[: 200 * (len(ids) // 200)].reshape(-1, 200)
    took: dict[str, list[float]] = {}
    for _ in range(turns):
        found = {}
        for name, call in _detections(rows, tokens.vocabulary or 0).items():
            started = time.process_time()
            found[name] = call()
            took.setdefault(name, []).append(time.process_time() - started)
        same = [found[name] for name in found if name == "transformers" or "left" in name]
        assert all(counts == same[0] for counts in same)
    print(f"detection, {rows.size} tokens in rows of 200, {len(np.unique(rows))} distinct, medians of {turns} turns")
    for name, seconds in took.items():
        ratio = median(t / s for t, s in zip(took["transformers"], seconds, strict=True))
        print(f"{name:<28}{rows.size / median(seconds):>12,.0f} tokens/s{ratio:>8.1f} x")


def _detections(rows: Any, vocabulary: int) -> dict[str, Any]:
    """Ways to count the green tokens of each row, none of which has seen a token yet."""
    import torch
    from transformers import LlamaConfig, WatermarkDetector, WatermarkingConfig

    config = WatermarkingConfig(0.25, 2.0, 15485863, "lefthash", 1)
    peer: Any = WatermarkDetector(LlamaConfig(vocab_size=vocabulary, bos_token_id=0), "cpu", config)

    def theirs() -> list[int]:
        return [int(count) for count in peer(torch.from_numpy(rows), return_dict=True).num_green_tokens]

    left = partial(_greens, Detector(key_of(0.25, 2.0, "left"), repeats="each"), rows)
    sides: dict[str, Any] = {"transformers": theirs}
    sides |= {f"surefoot left, {when}": left for when in ("first time", "second time", "lists known")}
    for hash in ("keyed", "min", "anchored"):
        sides[f"surefoot {hash}"] = partial(_greens, Detector(key_of(0.25, 2.0, hash), repeats="each"), rows)
    return sides


def _greens(detector: Detector, rows: Any) -> list[int]:
    return [count.green for count in detector.batch(list(rows))]


def generation_speed(args: argparse.Namespace, batch: int = 8, tokens: int = 64, pairs: int = 5) -> None:
    """Alternating runs of the same prompts; wall-clock time of a token and row."""
    articles = [json.loads(line)["article"] for line in args.articles.read_text(encoding="utf-8").splitlines()]
    prompts = [" ".join(text.split()[:60]) for text in articles[:batch]]
    plain = sf.load("smollm2", format="plain")
    sides = {
        "plain": plain,
        **{hash: sf.treat("watermark", plain, key=key_of(0.25, 2.0, hash)) for hash in ("keyed", "left")},
    }
    took: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(pairs + 1):
        for name, model in sides.items():
            started = time.perf_counter()
            written = model.generate(prompts, Sampling(tokens, 1.0, seed=turn))
            if turn:
                took[name].append((time.perf_counter() - started) / sum(len(text.logprobs) for text in written))
    print(f"generation, batch {batch}, up to {tokens} tokens, medians of {pairs} turns")
    for name, seconds in took.items():
        ratio = median(s / p for s, p in zip(seconds, took["plain"], strict=True))
        print(f"{name:<28}{1000 * median(seconds):>8.2f} ms a token and row{ratio:>8.3f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "attacks", "plot", "detection", "generation"))
    parser.add_argument("--out", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--articles", type=Path, default=ARTICLES)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=120)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.what == "quality":
        write_texts(args)
        table(args)
        return
    {"attacks": attacks, "plot": plot, "detection": detection_speed, "generation": generation_speed}[args.what](args)


if __name__ == "__main__":
    main()
