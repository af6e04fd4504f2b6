"""The watermark on SmolLM2 beside what the theory promises and beside a detector without a key.

    python benchmarks/watermark_bounds.py bound    green tokens observed, and the theorem's bound at the texts' entropy
    python benchmarks/watermark_bounds.py roc      AUC of z, and of the texts' likelihood under the model

The texts are those of benchmarks/watermark.py (`quality`), continuations of articles (--out); human texts are the
articles' own continuations, cut to as many tokens.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

import numpy as np

import surefoot as sf
from surefoot.models.base import LanguageModel
from surefoot.stats.auc import auc, mean_area
from surefoot.stats.exact import binomial_p
from surefoot.watermark import Detector, tokens_of
from surefoot.watermark.spikes import observed
from watermark import ARTICLES, GRID, Setting, key_of, named, surprise


def texts(args: argparse.Namespace, setting: Setting | None) -> list[list[int]]:
    told = json.loads((args.out / f"{named(setting)}.json").read_text(encoding="utf-8"))
    return [one["ids"] for one in told["texts"][: args.texts]]


def heads_and_human(args: argparse.Namespace) -> tuple[list[str], list[list[int]]]:
    """Prompts, and what the articles go on with, as ids."""
    lines = args.articles.read_text(encoding="utf-8").splitlines()[: args.texts]
    words = [json.loads(line)["article"].split() for line in lines]
    tokens = tokens_of("smollm2")
    human = [tokens.ids(" " + " ".join(own[60:220])).tolist()[: args.tokens] for own in words]
    return [" ".join(own[:60]) for own in words], human


def bound(args: argparse.Namespace) -> None:
    """One line a setting. All texts of a setting share a key, so the deviation is one over tokens, not over keys."""
    heads, _ = heads_and_human(args)
    plain = sf.load("smollm2", format="plain")
    print(
        "| | spike entropy | tokens | bound on the mean | green | deviation at most |\n|---|---:|---:|---:|---:|---:|"
    )
    for setting in GRID:
        found = observed(plain, heads, texts(args, setting), key_of(*setting))
        spread = "–" if np.isnan(found.spread) else f"{found.spread:.1f}"
        print(
            f"| {named(setting)} | {found.spike:.3f} | {found.tokens} | {found.bound:.0f} | {found.green} | {spread} |"
        )


def roc(args: argparse.Namespace) -> None:
    """Area under the curve with its interval, and errors at the threshold z > 4."""
    heads, human = heads_and_human(args)
    plain = sf.load("smollm2", format="plain")
    negatives = {"human": human, "plain": texts(args, None)}
    likelihoods = {name: likelihood(plain, heads, own) for name, own in negatives.items()}
    print("| | z, human | z, plain | likelihood, human | likelihood, plain | missed at z > 4 |")
    print("|---|---|---|---|---|---|")
    for setting in GRID:
        detector, own = Detector(key_of(*setting)), texts(args, setting)
        z, own_likelihood = zs(detector, own), likelihood(plain, heads, own)
        cells = [area(z, zs(detector, negatives[name])) for name in negatives]
        cells += [area(own_likelihood, likelihoods[name]) for name in negatives]
        missed = sum(value <= 4 for value in z)
        print(f"| {named(setting)} | {' | '.join(cells)} | {missed} of {len(z)} |", flush=True)
    flagged = [value > 4 for setting in GRID for value in zs(Detector(key_of(*setting)), human)]
    told = f"p of so many or more at the nominal level {binomial_p(sum(flagged), len(flagged), 3.2e-5, 'greater'):.2f}"
    print(f"human texts flagged at z > 4: {sum(flagged)} of {len(flagged)} ({told})")


def zs(detector: Detector, rows: list[list[int]]) -> list[float]:
    return [count.z for count in detector.batch(rows)]


def likelihood(model: LanguageModel, heads: list[str], rows: list[list[int]]) -> list[float]:
    """Mean log-probability of a token of each text behind its prompt."""
    return [mean(own) for own in surprise(model, heads, rows)]


def area(marked: list[float], others: list[float]) -> str:
    found = mean_area([auc(np.asarray(marked)[:, None], np.asarray(others)[:, None])])
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bound", "roc"))
    parser.add_argument("--out", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--articles", type=Path, default=ARTICLES)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=120)
    args = parser.parse_args()
    {"bound": bound, "roc": roc}[args.what](args)


if __name__ == "__main__":
    main()
