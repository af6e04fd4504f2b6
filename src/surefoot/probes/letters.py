"""Options chosen by models that do not show the probability of every text: by letter, or by what they write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Choice, LanguageModel, best
from surefoot.text.answers import parse_answer
from surefoot.text.options import MAX_OPTIONS
from surefoot.text.prompt import Part, Prompt

SAMPLES = 10  # texts of one prompt


def lettered(prompt: Prompt, options: Sequence[str]) -> Prompt:
    """The prompt with its options as a list of letters, and the request for one, before its cue."""
    if len(options) > MAX_OPTIONS:
        raise BadInput(f"An item has {len(options)} options and there are {MAX_OPTIONS} letters; use another scorer.")
    listed = "".join(f"{mark}. {option}\n" for mark, option in zip(ascii_uppercase, options, strict=False))
    head = prompt.without("cue")
    line = "" if head.text.endswith("\n") else "\n"
    asked = (Part("input", f"{line}{listed}"), Part("instruction", "Answer with the letter alone.\n"))
    return replace(prompt, parts=(*head.parts, *asked, *prompt.only("cue").parts))


def choose_letters(model: LanguageModel, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[Choice]:
    """The option whose letter is the most probable next token. Formula: argmax over k of log p(letter k | prompt)."""
    asked = [lettered(prompt, choices) for prompt, choices in zip(prompts, options, strict=True)]
    return model.choose(asked, [ascii_uppercase[: len(choices)] for choices in options], "sum")


def choose_by_samples(
    model: LanguageModel, prompts: Sequence[Prompt], options: Sequence[Sequence[str]], lengths: Sequence[int]
) -> list[Choice]:
    """The option that most of `SAMPLES` texts at temperature 1 name; scores are shares of all texts, parsed or not."""
    repeated = [prompt for prompt in prompts for _ in range(SAMPLES)]
    samplings = [Sampling(length, temperature=1.0, seed=seed) for length in lengths for seed in range(SAMPLES)]
    texts = iter(model.generate(repeated, samplings))
    result = []
    for choices in options:
        own = [next(texts) for _ in range(SAMPLES)]
        named = [parse_answer(text.text, choices) for text in own]
        shares = tuple(named.count(k) / SAMPLES for k in range(len(choices)))
        result.append(Choice(best(shares) if any(shares) else None, shares, own[0].prompt_tokens))
    return result
