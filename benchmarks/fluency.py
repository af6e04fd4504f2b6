"""What cad costs in fluency: texts written behind passages, and their perplexity under the plain model.

    python benchmarks/fluency.py --alphas 0 0.5 1 2 8 --facts 24

For each strength: the perplexity of all tokens written, exp(-mean log-probability under the untreated model given the
same prompt with its passage); the share of distinct word pairs; and some texts. Prompts are those of the probe
context-conflict, with "Answer in two sentences." behind the question so that there is something to read.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from itertools import pairwise

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Part, Prompt
from surefoot.worlds.conflicts import conflict_tasks
from surefoot.worlds.fact_files import real_facts

WORDS = 48  # tokens written


def prompts(facts: int) -> list[Prompt]:
    """The first wording of evenly spaced facts, behind passages that contradict them."""
    every = real_facts()
    _, conflict, _ = conflict_tasks(every[:: max(1, len(every) // facts)][:facts])
    ask = Part("cue", " Answer in two sentences.")
    queries = (conflict.query(example, conflict.wordings[2]) for example in conflict.examples)
    return [Prompt((*query.prompt.without("instruction").parts, ask)) for query in queries]


def perplexity(plain: LanguageModel, asked: Sequence[Prompt], texts: Sequence[str]) -> float:
    """exp of minus the mean natural-log probability over the tokens of all texts."""
    scores = plain.score([(prompt, text) for prompt, text in zip(asked, texts, strict=True) if text.strip()])
    tokens = [logprob for score in scores for logprob in score.logprobs]
    return math.exp(-sum(tokens) / len(tokens))


def distinct(texts: Sequence[str]) -> float:
    """Different word pairs, divided by all word pairs."""
    pairs = [pair for text in texts for words in [text.split()] for pair in pairwise(words)]
    return len(set(pairs)) / len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--alphas", type=float, nargs="+", default=[0, 0.5, 1, 2, 8])
    parser.add_argument("--facts", type=int, default=24)
    parser.add_argument("--show", type=int, default=2, help="texts of each strength")
    given = parser.parse_args()
    plain = sf.load(given.model)
    asked = prompts(given.facts)
    print(f"| alpha | perplexity of {given.facts} texts | distinct word pairs |\n|---|---:|---:|")
    shown = []
    for alpha in given.alphas:
        model = sf.treat("cad", plain, alpha=alpha)
        texts = [written.text for written in model.generate(asked, Sampling(max_new_tokens=WORDS))]
        print(f"| {alpha:g} | {perplexity(plain, asked, texts):.1f} | {distinct(texts):.2f} |", flush=True)
        shown += [(alpha, prompt, text) for prompt, text in list(zip(asked, texts, strict=True))[: given.show]]
    for alpha, prompt, text in shown:
        print(f"\nalpha {alpha:g}: {prompt.text!r}\n  -> {text!r}")


if __name__ == "__main__":
    main()
