"""Answers in the OpenAI protocol's shapes."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.serve.jobs import Piece, Weighed

Decode = Callable[[Sequence[int]], str]


@dataclass
class Text:
    """One choice as far as it has come."""

    text: str = ""
    tokens: list[Weighed] = field(default_factory=list)
    finish_reason: str = ""
    prompt_tokens: int = 0

    def add(self, piece: Piece) -> None:
        self.text += piece.text
        self.tokens += piece.tokens
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.prompt_tokens = piece.prompt_tokens or self.prompt_tokens


def head(kind: str, model: str) -> dict[str, Any]:
    """What every answer begins with."""
    prefix = "chatcmpl" if kind.startswith("chat") else "cmpl"
    return {"id": f"{prefix}-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def chat_logprobs(tokens: Sequence[Weighed], decode: Decode) -> dict[str, Any]:
    """Log-probabilities as chat completions have them."""
    return {"content": [{**_named(t.token, t.logprob, decode), "top_logprobs": _tops(t, decode)} for t in tokens]}


def _tops(token: Weighed, decode: Decode) -> list[dict[str, Any]]:
    return [_named(other, value, decode) for other, value in token.top]


def _named(token: int, logprob: float, decode: Decode) -> dict[str, Any]:
    text = decode([token])
    return {"token": text, "logprob": _finite(logprob), "bytes": list(text.encode())}


def completion_logprobs(tokens: Sequence[Weighed], decode: Decode, wanted: int, start: int = 0) -> dict[str, Any]:
    """Log-probabilities as completions have them; the first token of an echoed prompt has none."""
    texts = [decode([each.token]) for each in tokens]
    offsets, at = [], start
    for text in texts:
        offsets.append(at)
        at += len(text)
    values = [None if math.isnan(each.logprob) else _finite(each.logprob) for each in tokens]
    tops = [None if math.isnan(each.logprob) else _by_text(each, decode) for each in tokens]
    return {
        "tokens": texts,
        "token_logprobs": values,
        "top_logprobs": tops if wanted else None,
        "text_offset": offsets,
    }


def _by_text(token: Weighed, decode: Decode) -> dict[str, float]:
    """Alternatives by their text; of several with one text (parts of characters) the most probable."""
    found: dict[str, float] = {}
    for other, value in token.top:
        found.setdefault(decode([other]), _finite(value))
    return found


def _finite(value: float) -> float:
    """JSON has no infinity; the protocol writes -9999 for what cannot be."""
    return value if math.isfinite(value) else -9999.0
