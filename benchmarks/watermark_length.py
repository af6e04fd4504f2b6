"""How the watermark's z grows with the length of a text, and what is left of it where a text is recited.

python benchmarks/watermark_length.py --out runs/watermark     after: python benchmarks/watermark.py quality
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from statistics import mean

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.watermark import Detector
from watermark import key_of

LENGTHS = (15, 30, 60, 115)
RECITED = (
    "Repeat this, and nothing else: one two three four five six seven eight nine ten eleven twelve",
    "Repeat this, and nothing else: a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "Count from 1 to 40, separated by commas.",
    "Repeat this, and nothing else: Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
)
OPEN = (
    "Write a short story about a lighthouse.",
    "Describe a market in the rain.",
    "Invent a holiday and say how it is kept.",
    "Write a letter from a cat to its owner.",
)


def lengths(folder: Path) -> None:
    """Mean z of the first scored tokens of stored texts, and z / sqrt(T), which a constant share of green keeps."""
    for delta in (1.0, 2.0, 4.0):
        texts = json.loads((folder / f"gamma 0.25, delta {delta:g}.json").read_text())["texts"]
        detector = Detector(key_of(0.25, delta))
        runs = [detector.marks(text["ids"]).running_z for text in texts]
        cells = []
        for length in LENGTHS:
            z = mean(float(run[length - 1]) for run in runs if len(run) >= length)
            cells.append(f"{z:5.1f} ({z / math.sqrt(length):.2f})")
        print(f"delta {delta:g}: z after {LENGTHS} tokens (and over sqrt T): " + "  ".join(cells))


def recitation(tokens: int) -> None:
    """Greedy, drawn and searched texts under delta 2: share of green where a text is recited and where it is open."""
    model = sf.load("smollm2")
    key = key_of(0.25, 2.0)
    treated = sf.treat("watermark", model, key=key)
    ways = {
        "greedy": (treated, 0.0),
        "drawn": (treated, 1.0),
        "4 beams": (sf.treat("beam-search", treated, beams=4), 0.0),
    }
    for name, (writer, temperature) in ways.items():
        for kind, prompts in (("recited", RECITED), ("open", OPEN)):
            written = writer.generate(prompts, Sampling(tokens, temperature, seed=1))
            counts = [Detector(key).ids(text.token_ids) for text in written if len(text.token_ids) > 1]
            green, scored = sum(c.green for c in counts), sum(c.scored for c in counts)
            entropy = -mean(value for text in written for value in text.plain_logprobs)
            print(
                f"{name:<8} {kind:<8} green {green / scored:.2f} of {scored}  mean z {mean(c.z for c in counts):5.1f}"
                f"  surprisal {entropy:.2f} nats",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/watermark"))
    parser.add_argument("--tokens", type=int, default=80)
    args = parser.parse_args()
    lengths(args.out)
    recitation(args.tokens)


if __name__ == "__main__":
    main()
