"""The first prompt of each wording, as the model saw it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from surefoot.probes.first_prompts import FirstPrompt

TOKEN_BUDGET = 40_000  # tokens shown one by one in a report, about 1 MB
TEXT_LIMIT = 20_000  # characters of one prompt
TEXT_BUDGET = 400_000  # characters of all prompts together


@dataclass(frozen=True)
class PromptView:
    """A prompt as the report shows it: with its tokens, or where these would make the file large, as text."""

    tokens: int
    pieces: tuple[tuple[int, str], ...]  # id, string; empty where the text stands instead
    text: str
    left_out: int  # characters of the text that are not shown


def prompt_views(prompts: Iterable[FirstPrompt], token_budget: int = TOKEN_BUDGET) -> dict[tuple[str, str], PromptView]:
    """The view of each prompt by (task, wording); the budgets are spent in the order of the prompts."""
    views: dict[tuple[str, str], PromptView] = {}
    tokens, characters = token_budget, TEXT_BUDGET
    for prompt in prompts:
        n = len(prompt.token_ids)
        in_full = 0 < n == len(prompt.token_strings) and n <= tokens
        if in_full and sum(map(len, prompt.token_strings)) <= min(2 * TEXT_LIMIT, characters):
            views[prompt.task, prompt.wording] = PromptView(n, _pieces(prompt), "", 0)
            tokens -= n
            characters -= len(prompt.text)
        else:
            text = shorten(prompt.text, max(0, min(TEXT_LIMIT, characters)))
            views[prompt.task, prompt.wording] = PromptView(n, (), text, len(prompt.text) - len(text))
            characters -= len(text)
    return views


def shorten(text: str, most: int) -> str:
    """The text's beginning, `most` characters of it."""
    return text if len(text) <= most else text[:most]


def _pieces(prompt: FirstPrompt) -> tuple[tuple[int, str], ...]:
    ids: Sequence[int] = [int(token) for token in prompt.token_ids]
    return tuple(zip(ids, prompt.token_strings, strict=True))
