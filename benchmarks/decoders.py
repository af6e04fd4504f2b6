"""Every decoder on the same prompts: how much it repeats itself, how varied and how probable its texts are, how fast.

    python benchmarks/decoders.py                 the table of docs/decoding.md

The weaker model of contrastive decoding and speculative decoding is the model itself, cut behind some of its layers:
its own vocabulary, and no other weights to fetch.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import torch

from surefoot.decoding.sampling import Penalties, Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.load import load
from surefoot.models.virtual import structural_copy
from surefoot.treatments import treat

PROMPTS = (
    "Write a short story about a lighthouse keeper.",
    "Explain to a child why the sky is blue.",
    "Describe a market in the early morning.",
    "What should one think of before buying a bicycle?",
    "Tell me about the history of paper.",
    "Write a letter to a friend about a journey by train.",
    "How does bread rise?",
    "What do bees do in winter?",
)


class Measured(NamedTuple):
    """Repetition and variety are shares in 0..1, `logprob` is a mean in nats, `rate` in tokens a second."""

    repetition: float
    distinct: float
    logprob: float
    rate: float


def cut(model: Any, layers: int) -> Any:
    """The model without its last layers, of which its norm and head know nothing."""
    shorter = structural_copy(model.model)
    shorter.model.layers = shorter.model.layers[:layers]
    shorter.config.num_hidden_layers = layers
    twin = model.adapted(shorter)
    twin._card = replace(model.card, name=f"{model.name} cut at layer {layers}")
    return twin


def repetition(texts: Sequence[Generation], length: int = 4) -> float:
    """Share of runs of four tokens that stood in the same text before."""
    runs = [[text.token_ids[k : k + length] for k in range(len(text.token_ids) - length + 1)] for text in texts]
    return 1 - sum(len(set(own)) for own in runs) / sum(map(len, runs))


def distinct(texts: Sequence[Generation]) -> float:
    """Distinct pairs of neighbouring tokens among all pairs of all texts."""
    pairs = [pair for text in texts for pair in pairwise(text.token_ids)]
    return len(set(pairs)) / len(pairs)


def measure(model: LanguageModel, sampling: Sampling) -> Measured:
    start = perf_counter()
    texts = model.generate(PROMPTS, sampling)
    seconds = perf_counter() - start
    plain = [value for text in texts for value in text.plain_logprobs]
    tokens = sum(len(text.token_ids) for text in texts)
    return Measured(repetition(texts), distinct(texts), sum(plain) / len(plain), tokens / seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--amateur", type=int, default=10, help="layers of the amateur")
    parser.add_argument("--draft", type=int, default=24, help="layers of the draft model")
    parser.add_argument("--dtype", default="float32")
    asked = parser.parse_args()
    model: Any = load("smollm2", dtype=asked.dtype)
    amateur, draft = cut(model, asked.amateur), cut(model, asked.draft)
    greedy = Sampling(max_new_tokens=asked.tokens)
    drawn = replace(greedy, temperature=1.0)
    ahead: Any = treat("speculative", model, draft=draft, tokens=4)
    arms: tuple[tuple[str, LanguageModel, Sampling], ...] = (
        ("greedy", model, greedy),
        ("greedy, repetition penalty 1.2", model, replace(greedy, penalties=Penalties(repetition=1.2))),
        ("drawn, temperature 1", model, drawn),
        ("drawn, top-p 0.9", model, replace(drawn, top_p=0.9)),
        ("drawn, typical 0.9", model, replace(drawn, typical_p=0.9)),
        ("beam-search, 4 beams", treat("beam-search", model), greedy),
        ("beam-search, 4 groups, diversity 1", treat("beam-search", model, groups=4, diversity=1.0), greedy),
        ("contrastive-search", treat("contrastive-search", model), greedy),
        ("contrastive-decoding, weighted", treat("contrastive-decoding", model, amateur=amateur), greedy),
        (
            "contrastive-decoding, difference",
            treat("contrastive-decoding", model, amateur=amateur, form="difference"),
            greedy,
        ),
        ("dola, high", treat("dola", model), greedy),
        ("dola, low", treat("dola", model, layers="low"), greedy),
        ("speculative, greedy", ahead, greedy),
        ("self-consistency, 5 texts, whole text", treat("self-consistency", model, samples=5, read="text"), greedy),
    )
    print(f"{len(PROMPTS)} prompts, {asked.tokens} tokens, {torch.get_num_threads()} threads, {asked.dtype}")
    model.generate(PROMPTS[:2], Sampling(max_new_tokens=4))
    print("| decoder | repetition | distinct-2 | mean log p, plain model | tokens/s |\n|---|---|---|---|---|")
    for name, treated, sampling in arms:
        m = measure(treated, sampling)
        print(f"| {name} | {m.repetition:.3f} | {m.distinct:.3f} | {m.logprob:.2f} | {m.rate:.0f} |", flush=True)
    tally = ahead.tally
    print(f"speculative: {tally.share:.2f} of {tally.judged} proposals kept, {tally.passes} passes of the target")


if __name__ == "__main__":
    main()
