"""The questions that are put to an endpoint, and what is read from its answers.

Two calls of the OpenAI protocol: `completions`, whose prompt is a text or token ids as they are, and
`chat/completions`, whose messages go through the endpoint's own template. Prompt log-probabilities: `echo` with
`logprobs` (OpenAI's first completions, llama.cpp's and vLLM's), or `prompt_logprobs` (vLLM).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.endpoints.boundary import answer_starts
from surefoot.endpoints.client import LAST, Answer, Lacking, Question
from surefoot.text.prompt import Prompt

COMPLETIONS, CHAT = "completions", "chat/completions"
Text = str | Sequence[int]
Asked = Text | Sequence[Mapping[str, str]]
"""What is sent: a text, token ids, or messages."""


class Way(NamedTuple):
    """How prompt log-probabilities are got: the fields of the request, and whether those of the last tokens can be
    asked for alone, which saves the endpoint the distributions of all others."""

    name: str
    fields: Mapping[str, Any]
    alone: bool = False


ECHO = (
    Way("echo", {"echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0}),
    Way("echo, one token", {"echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}),
    Way("prompt_logprobs", {"prompt_logprobs": 0, "max_tokens": 1, "temperature": 0}),
)


class Weighed(NamedTuple):
    """Tokens of a prompt and their log-probabilities; the first has none, nor has one that was not asked for."""

    tokens: list[str]
    logprobs: list[float | None]


def weighed(way: Way, choice: Mapping[str, Any], text: Text, last: int = 0) -> Weighed:
    """What an endpoint says of the tokens of the prompt `text`, or of its `last` ones. Raises if it does not."""
    if way.name == "prompt_logprobs":
        told = [next(iter(token.values())) if token else None for token in choice["prompt_logprobs"]]
        tokens = [(t["decoded_token"] or "") if t else "" for t in told]
        values = [t["logprob"] if t else None for t in told]
    else:
        own = choice["logprobs"]
        tokens, values = [str(token) for token in own["tokens"]], list(own["token_logprobs"])
    end = _prompt_end(tokens, text, int(way.fields["max_tokens"]) if way.name != "prompt_logprobs" else 0)
    if len(values) < end or None in values[1:end][-last:]:
        raise Lacking("without log-probabilities of its prompt")
    return Weighed(tokens[:end], values[:end])


def _prompt_end(tokens: Sequence[str], text: Text, more: int) -> int:
    """How many of the tokens are the prompt's. With `more`, a written token may stand behind them."""
    if not isinstance(text, str):
        if not len(text) <= len(tokens) <= len(text) + more:
            raise Lacking("in which the prompt has another number of tokens than were sent")
        return len(text)
    if "\ufffd" in "".join(tokens):  # parts of characters: the texts cannot be compared, the answer's own still is
        return len(tokens) - more
    wanted = bare(text)
    for end in range(len(tokens) - more, len(tokens) + 1):
        seen = bare("".join(tokens[:end]))
        if seen.endswith(wanted) or (not tokens[0] and wanted.endswith(seen)):
            return end
    raise Lacking("in which the prompt does not come back whole")


def bare(text: str) -> str:
    """Without blanks, which the tokens of some tokenizers do not show."""
    return text.replace(" ", "").replace("▁", "")


def answer_weighed(text: Text, answer: str | int, way: Way, ratio: float) -> Question:
    """Log-probabilities of `answer`, which stands at the end of `text`: its text, or how many ids it has.

    The kept answer is `{"logprobs": [...]}`, or `{"merged": true}` where no token begins where the answer does.
    """
    last = (answer if isinstance(answer, int) else len(answer.encode()) + 1) if way.alone else 0

    def read(choice: Mapping[str, Any]) -> Answer:
        found = weighed(way, choice, text, last)
        start = len(found.tokens) - answer if isinstance(answer, int) else answer_starts(found.tokens, answer)
        if start is None:
            return {"merged": True, "tokens": found.tokens[-8:]}
        return {"logprobs": [float(v) for v in found.logprobs[start:]], "prompt_tokens": start}  # type: ignore[arg-type]

    body = {"prompt": text if isinstance(text, str) else list(text), **way.fields, **({LAST: last} if last else {})}
    return Question(COMPLETIONS, body, read, f"answer {answer!r}", weight(text, ratio) + 1)


def only_last(text: str, way: Way, ratio: float) -> Question:
    """Whether the last token can be asked for alone: `{"alone": true}`."""

    def read(choice: Mapping[str, Any]) -> Answer:
        values = weighed(way, choice, text, 1).logprobs
        return {"alone": len(values) > 1 and not any(isinstance(value, float) for value in values[:-1])}

    return Question(COMPLETIONS, {"prompt": text, **way.fields, LAST: 1}, read, "last", weight(text, ratio) + 1)


def shown(ids: Sequence[int], way: Way, ratio: float) -> Question:
    """How the endpoint shows a prompt of token ids: `{"text": ...}`."""

    def read(choice: Mapping[str, Any]) -> Answer:
        return {"text": "".join(weighed(way, choice, ids).tokens)}

    return Question(COMPLETIONS, {"prompt": list(ids), **way.fields}, read, "shown", weight(ids, ratio) + 1)


def next_token(prompt: Asked, chat: bool, top: int, limit: str, ratio: float) -> Question:
    """The most probable next tokens: `{"top": [[text, log-probability], ...]}`."""
    if chat:
        fields: dict[str, Any] = {"messages": prompt, limit: 1, "logprobs": True, "top_logprobs": top}
    else:
        fields = {"prompt": prompt, "max_tokens": 1, "logprobs": top}

    def read(choice: Mapping[str, Any]) -> Answer:
        if _is_listed(choice["logprobs"]):
            listed = choice["logprobs"]["content"][0]["top_logprobs"]
            found = [[str(one["token"]), float(one["logprob"])] for one in listed]
        else:
            found = [[str(text), float(value)] for text, value in choice["logprobs"]["top_logprobs"][0].items()]
        if not found:
            raise ValueError
        return {"top": found}

    return Question(
        CHAT if chat else COMPLETIONS, {**fields, "temperature": 0}, read, f"top {top}", weight(prompt, ratio) + 1, chat
    )


def written(prompt: Asked, chat: bool, sampling: Sampling, limit: str, weighs: bool, ratio: float) -> Question:
    """A text behind the prompt: `{"text", "finish", "logprobs", "tokens"}`."""
    fields: dict[str, Any] = {limit if chat else "max_tokens": sampling.max_new_tokens, **picking(sampling)}
    if weighs:
        fields |= {"logprobs": True} if chat else {"logprobs": 1}

    def read(choice: Mapping[str, Any]) -> Answer:
        text = choice["message"].get("content") if chat else choice["text"]
        tokens, values = _own_tokens(choice.get("logprobs")) if weighs else ([], [])
        return {"text": text or "", "finish": choice.get("finish_reason"), "tokens": tokens, "logprobs": values}

    body = {"messages" if chat else "prompt": prompt, **fields}
    return Question(
        CHAT if chat else COMPLETIONS, body, read, "text", weight(prompt, ratio) + sampling.max_new_tokens, True
    )


def _is_listed(logprobs: Any) -> bool:
    """Whether log-probabilities come in the shape of chat completions; llama.cpp's server uses it for both."""
    return isinstance(logprobs, Mapping) and "content" in logprobs


def _own_tokens(logprobs: Any) -> tuple[list[str], list[float]]:
    if _is_listed(logprobs):
        listed = logprobs["content"] or []
        return [str(one["token"]) for one in listed], [float(one["logprob"]) for one in listed]
    return [str(token) for token in logprobs["tokens"]], [float(value) for value in logprobs["token_logprobs"]]


def picking(sampling: Sampling) -> dict[str, Any]:
    """The settings in the protocol's words. `top_k`, `min_p` and `repetition_penalty` are extensions of it."""
    fields: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.temperature > 0:
        fields["seed"] = sampling.seed
    own = {"top_p": (sampling.top_p, 1.0), "top_k": (sampling.top_k, 0), "min_p": (sampling.min_p, 0.0)}
    penalties = sampling.penalties
    own |= {
        "presence_penalty": (penalties.presence, 0.0),
        "frequency_penalty": (penalties.frequency, 0.0),
        "repetition_penalty": (penalties.repetition, 1.0),
    }
    fields |= {name: value for name, (value, off) in own.items() if value != off}
    return fields | ({"stop": list(sampling.stop)} if sampling.stop else {})


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """The prompt as the turns of a chat."""
    system = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
    earlier = [{"role": role, "content": text} for role, text in getattr(prompt, "earlier", ())]
    return [*system, *earlier, {"role": "user", "content": prompt.text}]


def weight(prompt: Asked, ratio: float) -> int:
    """Tokens of a prompt, by estimate where it is no list of them."""
    if isinstance(prompt, str):
        return int(len(prompt) * ratio) + 8
    return sum(1 if isinstance(one, int) else weight(one["content"], ratio) for one in prompt)
