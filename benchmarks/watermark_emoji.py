"""What the emoji attack leaves of a watermark on SmolLM2: an emoji behind every unit, taken out again.

    python benchmarks/watermark_emoji.py hidden    as a model writes that its emojis do not throw off (texts into --out)
    python benchmarks/watermark_emoji.py forced    the emoji written in decoding, before the model's eyes
    python benchmarks/watermark_emoji.py asked     how often the instruction-tuned model writes it when it is told to

Prompts are those of benchmarks/watermark.py, whose texts (`quality`) are the unattacked ones.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import LanguageModel
from surefoot.stats.intervals import wilson
from surefoot.watermark import Detector, tokens_of
from surefoot.watermark.attacks import Strip
from watermark import ARTICLES, Setting, key_of, marked, named, surprise

EMOJI = "✨"
SETTINGS = ((0.25, 2.0), (0.25, 4.0))
VARIANTS = (("word", 2), ("word", 1), ("token", 1))
ASKED = (
    "Write {emoji} after every word. Tell me about the following in three sentences: {topic}",
    "{topic} Describe this in three sentences. Put the emoji {emoji} behind each word that you write.",
)
TOPICS = ("the sea", "an old town", "how bread is made", "a long train journey", "winter in the mountains", "a market")


def measured(args: argparse.Namespace) -> None:
    """One line a setting and variant: the texts with the emojis taken out, over equal lengths."""
    articles = [json.loads(line)["article"] for line in args.articles.read_text(encoding="utf-8").splitlines()]
    heads = [" ".join(text.split()[:60]) for text in articles[: args.texts]]
    plain = sf.load("smollm2", format="plain")
    print("| setting | emoji behind | z, taken out | green | found | perplexity |\n|---|---|---|---|---|---|")
    for setting, variant in product(SETTINGS, (None, *VARIANTS)):
        texts = unattacked(args, setting) if variant is None else attacked(args, plain, heads, setting, *variant)
        told = line(texts, heads, Detector(key_of(*setting), tokens_of("smollm2")), plain, args.tokens)
        name = "nothing" if variant is None else f"every {variant[0]}" if variant[1] == 1 else f"every 2nd {variant[0]}"
        print(f"| {named(setting)} | {name} | {told} |", flush=True)


def unattacked(args: argparse.Namespace, setting: Setting) -> list[str]:
    """The texts of benchmarks/watermark.py."""
    told = json.loads((args.quality / f"{named(setting)}.json").read_text(encoding="utf-8"))
    return [one["text"] for one in told["texts"][: args.texts]]


def attacked(
    args: argparse.Namespace,
    plain: LanguageModel,
    heads: list[str],
    setting: tuple[float, float],
    unit: str,
    every: int,
) -> list[str]:
    """Texts written with emojis, which are then taken out."""
    hidden = args.what == "hidden"
    file = args.out / f"{named(setting)}, {every} {unit}{', hidden' if hidden else ''}.json"
    if not file.exists():
        model = sf.treat("interleave", marked(plain, setting), text=EMOJI, unit=unit, every=every, hidden=hidden)
        emoji = 0.0 if hidden else len(tokens_of("smollm2").ids(EMOJI)) / every * (1.0 if unit == "token" else 0.75)
        found = model.generate(heads, Sampling(round((1 + emoji) * args.tokens), 1.0, seed=1))
        file.write_text(json.dumps([text.text for text in found]), encoding="utf-8")
    return [Strip(EMOJI)(text) for text in json.loads(file.read_text(encoding="utf-8"))]


def line(texts: list[str], heads: list[str], detector: Detector, plain: LanguageModel, most: int) -> str:
    """Means over the texts, each cut to `most` tokens."""
    tokens: Any = detector.tokens
    cut = []
    for text in texts:
        spans = tokens.encode(text).spans
        cut.append(text[: spans[min(most, len(spans)) - 1][1]])
    counts = [detector.text(text) for text in cut]
    told = surprise(plain, heads, [tokens.ids(text).tolist() for text in cut])
    perplexity = math.exp(-mean(value for own in told for value in own))
    found = wilson(sum(count.verdict == "watermarked" for count in counts), len(counts))
    share = sum(count.green for count in counts) / sum(count.scored for count in counts)
    low, value, high = (round(100 * x) for x in (found.low, found.value, found.high))
    z = mean(count.z for count in counts if count.scored)
    return f"{z:.1f} | {share:.3f} | {value} % ({low} to {high}) | {perplexity:.1f}"


def asked(_: argparse.Namespace) -> None:
    """The share of written words that an emoji follows, and some texts."""
    chat = sf.load("smollm2", format="chat")
    prompts = [wording.format(emoji=EMOJI, topic=topic) for wording in ASKED for topic in TOPICS]
    found = [text.text for text in chat.generate(prompts, Sampling(80))]
    words = [word for text in found for word in text.split()]
    print(f"{sum(word.endswith(EMOJI) for word in words)} of {len(words)} words are followed by {EMOJI}")
    for text in found[:: len(TOPICS) // 2]:
        print(repr(text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("hidden", "forced", "asked"))
    parser.add_argument("--out", type=Path, default=Path("runs/watermark-emoji"))
    parser.add_argument("--quality", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--articles", type=Path, default=ARTICLES)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=120)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    {"hidden": measured, "forced": measured, "asked": asked}[args.what](args)


if __name__ == "__main__":
    main()
