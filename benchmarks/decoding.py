"""Context-aware decoding beside plain greedy decoding, and beside transformers' guidance row by row, in one run.

    python benchmarks/decoding.py                 8 prompts, 64 new tokens each
    python benchmarks/decoding.py --profile       where the time of a CAD step goes

Every text has exactly as many tokens as asked for (no token ends it), so that all three do the same work.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from measuring import seconds
from surefoot.decoding.loop import decode
from surefoot.decoding.rows import Draft
from surefoot.decoding.sampling import Sampling
from surefoot.models.load import load
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments import treat

PLACES = ("Lyon", "Turin", "Porto", "Ghent", "Basel", "Graz", "Brno", "Cork")
ASKERS = (
    "Anna, a teacher,",
    "Ben",
    "Cleo, who is nine,",
    "Dr Dale",
    "Everyone",
    "Old Fritz",
    "Gus",
    "Mrs Hill of London",
)
PASSAGE = (
    "The museum was founded in {year} in the old harbour of {place}. Its first hall shows ships, maps and instruments; "
    "the second one, opened {later} years afterwards, has letters of sailors and a model of the town. Entrance is free "
    "on the first day of each month, and children pay nothing at any time. A tower may be climbed in summer.\n\n"
)


def prompts(count: int) -> list[Prompt]:
    return [
        Prompt(
            (
                Part("context", PASSAGE.format(year=1860 + 7 * k, place=PLACES[k % len(PLACES)], later=12 + k)),
                Part(
                    "input", f"{ASKERS[k % len(ASKERS)]} asks what there is to see, and where the museum stands. Reply."
                ),
            )
        )
        for k in range(count)
    ]


def write(model: Any, asked: list[Prompt], tokens: int) -> list[list[int]]:
    """Exactly `tokens` tokens behind each prompt, by the loop."""
    continuation = model.continuing(asked, [tokens] * len(asked))
    drafts = [Draft(index, ids) for index, ids in enumerate(continuation.prompts)]
    endless = replace(model.vocabulary, ends=frozenset())
    decode(continuation, drafts, [Sampling(max_new_tokens=tokens)] * len(asked), endless)
    return [draft.written for draft in drafts]


def guided(model: Any, asked: list[Prompt], tokens: int, alpha: float) -> list[list[int]]:
    """The same by transformers, one row at a time, since its guidance knows no batches."""
    texts = []
    for prompt in asked:
        whole, bare = (torch.tensor(model.encode([p])) for p in (prompt, prompt.without("context")))
        out = model.model.generate(
            input_ids=whole,
            attention_mask=torch.ones_like(whole),
            negative_prompt_ids=bare,
            guidance_scale=1 + alpha,
            max_new_tokens=tokens,
            eos_token_id=[],
            do_sample=False,
        )
        texts.append(out[0, whole.shape[1] :].tolist())
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    model: Any = load("smollm2", dtype=args.dtype)
    treated, asked = treat("cad", model, alpha=args.alpha), prompts(args.prompts)
    if args.profile:
        return profiled(lambda: write(treated, asked, args.tokens))
    ways: dict[str, Callable[[], list[list[int]]]] = {
        "plain greedy": lambda: write(model, asked, args.tokens),
        "cad": lambda: write(treated, asked, args.tokens),
        "transformers guidance": lambda: guided(model, asked, args.tokens, args.alpha),
    }
    texts, times = {name: way() for name, way in ways.items()}, {name: [] for name in ways}  # type: ignore[var-annotated]
    for _ in range(args.repeats):
        for name, way in ways.items():
            times[name].append(seconds(way))
    for name in ways:
        pace = args.prompts * args.tokens / median(times[name])
        print(
            f"{name:<22} {median(times[name]):6.2f} s  {pace:6.1f} tokens/s  {sorted(round(t, 2) for t in times[name])}"
        )
    pairs = list(zip(texts["cad"], texts["transformers guidance"], strict=True))
    same = sum(a == b for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))
    print(f"cad / plain            {median(times['cad']) / median(times['plain greedy']):6.2f}")
    print(f"guidance / cad         {median(times['transformers guidance']) / median(times['cad']):6.2f}")
    print(f"equal tokens           {same} of {args.prompts * args.tokens} (bfloat16 rounds with the shape of a batch)")
    return None


def profiled(way: Callable[[], Any]) -> None:
    from torch.profiler import ProfilerActivity, profile

    way()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        way()
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=16))


if __name__ == "__main__":
    main()
