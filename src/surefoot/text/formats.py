"""Formats: how a prompt becomes the exact text and token ids that a model reads.

The tokenizer is any Hugging Face tokenizer; nothing here needs torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from surefoot.errors import BadInput
from surefoot.text.prompt import Conversation, Prompt, TokenPrompt, Turn


class Format(Protocol):
    """Renders prompts. `name` and `digest` go into the run record."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def adds_special_tokens(self) -> bool: ...

    def render(self, prompt: Prompt) -> str:
        """The exact text that is tokenised."""
        ...

    def continuation(self, prompt: Prompt, answer: str) -> str:
        """The answer as it stands behind the rendered prompt, with the space that belongs there."""
        ...


@dataclass(frozen=True)
class PlainFormat:
    """The prompt's text as it is; the tokenizer adds its own special tokens. The answer follows after one space."""

    name: str = "plain"
    digest: str = "plain"
    adds_special_tokens: bool = True

    def render(self, prompt: Prompt) -> str:
        system = f"{prompt.system}\n\n" if prompt.system else ""
        earlier = "".join(f"{text}\n\n" for _, text in earlier_turns(prompt))
        return (system + earlier + prompt.text).rstrip(" ")

    def continuation(self, prompt: Prompt, answer: str) -> str:
        text = prompt.text.rstrip(" ")
        return answer if not text or text[-1].isspace() else f" {answer}"


@dataclass(frozen=True)
class ChatFormat:
    """The tokenizer's chat template: one user turn, then the opening of the assistant's.

    `cue` says where a prompt's cue (`Answer:`) goes: `user` leaves it at the end of the user's turn, as somebody would
    type it; `assistant` makes it the beginning of the assistant's turn.
    """

    tokenizer: Any
    cue: Literal["user", "assistant"] = "user"
    adds_special_tokens: bool = False  # the template writes them itself

    @property
    def name(self) -> str:
        return "chat" if self.cue == "user" else "chat-prefill"

    @property
    def digest(self) -> str:
        return hashlib.sha256(str(self.tokenizer.chat_template).encode()).hexdigest()[:16]

    def render(self, prompt: Prompt) -> str:
        prefill = prompt.cue if self.cue == "assistant" else ""
        user = prompt.without("cue").text.rstrip() if prefill else prompt.text
        messages = [{"role": role, "content": text} for role, text in earlier_turns(prompt)]
        messages.append({"role": "user", "content": user})
        if prompt.system is not None:
            messages.insert(0, {"role": "system", "content": prompt.system})
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return str(text) + prefill

    def continuation(self, prompt: Prompt, answer: str) -> str:
        return f" {answer}" if self.cue == "assistant" and prompt.cue.strip() else answer


def earlier_turns(prompt: Prompt) -> tuple[Turn, ...]:
    """The turns before the user's last one."""
    return prompt.earlier if isinstance(prompt, Conversation) else ()


def format_for(tokenizer: Any, name: str = "auto") -> Format:
    """`chat`, `chat-prefill`, `plain`, or `auto`: the chat template where the tokenizer has one."""
    has_template = bool(getattr(tokenizer, "chat_template", None))
    if name == "auto":
        name = "chat" if has_template else "plain"
    if name == "plain":
        return PlainFormat()
    if name not in ("chat", "chat-prefill"):
        raise BadInput(f'"{name}" is not a prompt format; use auto, chat, chat-prefill or plain.')
    if not has_template:
        raise BadInput(f'The format "{name}" needs a chat template and this tokenizer has none; use format="plain".')
    return ChatFormat(tokenizer, "assistant" if name == "chat-prefill" else "user")


@dataclass(frozen=True)
class PromptEncoder:
    """Prompts and answers to token ids, for one tokenizer and one format.

    `fork` is True for decoder-only models, whose answers go on behind the prompt; an encoder-decoder's prompt keeps
    its end token and its answers stand alone. `virtual` are ids of trained tokens that stand in front of every prompt
    (`surefoot.models.virtual`).
    """

    tokenizer: Any
    format: Format
    fork: bool = True
    virtual: tuple[int, ...] = ()

    def prompts(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Token ids of the rendered prompts, with one beginning-of-sequence token where the model has one."""
        texts = [self.format.render(prompt) for prompt in prompts if not isinstance(prompt, TokenPrompt)]
        encoded = iter(self._encode(texts))
        own = (list(prompt.ids) if isinstance(prompt, TokenPrompt) else next(encoded) for prompt in prompts)
        return [[*self.virtual, *ids] for ids in own]

    def continuations(
        self, prompts: Sequence[Prompt], ids: Sequence[list[int]], answers: Sequence[Sequence[str]]
    ) -> list[list[list[int]]]:
        """Token ids of each prompt's answers, given the prompts' own `ids`.

        Prompt and answer are tokenised as one text, as a model that writes would meet them. Where the prompt's last
        token would merge with the answer, the answer is tokenised alone, so that all answers fork from one prompt.
        """
        pairs = [(p, answer) for p, choices in zip(prompts, answers, strict=True) for answer in choices]
        alone = iter(self._bare([self.format.continuation(p, a) if self.fork else a for p, a in pairs]))
        rendered = [self.format.render(p) for p in prompts] if self.fork else []
        texts = [
            text + self.format.continuation(prompt, answer)
            for text, prompt, choices in zip(rendered, prompts, answers, strict=self.fork)
            for answer in choices
        ]
        whole = iter(self._encode(texts))
        forks: list[list[list[int]]] = []
        for prompt_ids, choices in zip(ids, answers, strict=True):
            own = prompt_ids[len(self.virtual) :]
            forks.append([self._tail(next(whole, []), next(alone), own, answer) for answer in choices])
        return forks

    def labels(self, labels: Sequence[str]) -> list[list[int]]:
        """Token ids of answers on their own, without special tokens."""
        return self._bare(labels)

    @cached_property
    def bos(self) -> int | None:
        """The beginning-of-sequence id that the tokenizer puts in front of a plain text; None if it puts none."""
        bos = getattr(self.tokenizer, "bos_token_id", None)
        return bos if bos is not None and self.tokenizer("a")["input_ids"][:1] == [bos] else None

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=self.format.adds_special_tokens)["input_ids"]
        return [self._one_bos(self._open_end(ids)) for ids in encoded]

    def _bare(self, texts: Sequence[str]) -> list[list[int]]:
        return list(self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]) if texts else []

    def _tail(self, whole: list[int], alone: list[int], prompt_ids: list[int], answer: str) -> list[int]:
        tail = whole[len(prompt_ids) :] if self.fork and whole[: len(prompt_ids)] == prompt_ids else alone
        if not tail:
            raise BadInput(f'The answer "{answer}" has no tokens; give every label at least one visible character.')
        return tail

    def _open_end(self, ids: list[int]) -> list[int]:
        return ids[:-1] if self._closes and ids and ids[-1] == self.tokenizer.eos_token_id else ids

    @cached_property
    def _closes(self) -> bool:
        """Whether the tokenizer ends a plain text with its end token, which would cut a prompt off from its answer."""
        end = getattr(self.tokenizer, "eos_token_id", None)
        special = self.format.adds_special_tokens and end is not None
        return bool(self.fork and special and self.tokenizer("a")["input_ids"][-1:] == [end])

    def _one_bos(self, ids: list[int]) -> list[int]:
        """A chat template that writes the token and a tokenizer that adds it again is the classic double."""
        bos = getattr(self.tokenizer, "bos_token_id", None)
        if bos is None:
            return ids
        while ids[:2] == [bos, bos]:
            ids = ids[1:]
        return [bos, *ids] if self.bos is not None and ids[:1] != [bos] else ids
