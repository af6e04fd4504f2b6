"""What a client may ask, in the OpenAI protocol, with bounds on everything that costs memory or time."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from surefoot.decoding.sampling import Penalties, Sampling
from surefoot.errors import BadInput
from surefoot.text.prompt import ROLES, Conversation, Part, Prompt

STOPS, STOP_LENGTH, CHOICES, PROMPTS, MESSAGES = 16, 200, 8, 128, 256
Stop = Annotated[str, Field(min_length=1, max_length=STOP_LENGTH)]
Ids = Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]], Field(min_length=1, max_length=131072)]


class Picking(BaseModel):
    """How tokens are picked. The protocol does not have `top_k`, `min_p`, `repetition_penalty` and `treatments`."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(max_length=400)
    temperature: float = Field(1.0, ge=0, le=100)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0, le=1_000_000)
    min_p: float = Field(0.0, ge=0, le=1)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    repetition_penalty: float = Field(1.0, gt=0, le=100)
    n: int = Field(1, ge=1, le=CHOICES)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=STOPS)] | None = None
    stream: bool = False
    stream_options: dict[Literal["include_usage"], bool] | None = None
    user: Annotated[str, Field(max_length=400)] | None = None
    treatments: Annotated[list[str], Field(max_length=16)] | None = Field(
        None, description="Which of the offered treatments are applied; by default those that the model's name has."
    )

    def sampling(self, max_new_tokens: int) -> list[Sampling]:
        """The settings of each of the `n` texts; without a seed one is drawn."""
        seed = secrets.randbelow(2**31) if self.seed is None else self.seed
        stops = [self.stop] if isinstance(self.stop, str) else list(self.stop or ())
        penalties = Penalties(self.repetition_penalty, self.presence_penalty, self.frequency_penalty)
        return [
            Sampling(
                max_new_tokens,
                self.temperature,
                self.top_p,
                seed + k,
                tuple(stops),
                self.top_k,
                self.min_p,
                penalties=penalties,
            )
            for k in range(self.n)
        ]


class ContentPart(BaseModel):
    """A stretch of a message. `part` tells treatments what it is: `context`, `instruction`, `input`, `cue`."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"] = "text"
    text: str
    part: str | None = None


class Message(BaseModel):
    """A turn of a conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[ContentPart], Field(max_length=64)]
    name: Annotated[str, Field(max_length=400)] | None = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)

    def parts(self) -> tuple[Part, ...]:
        """The message as parts of a prompt; what is not named is input."""
        if isinstance(self.content, str):
            return (Part("input", self.content),)
        for part in self.content:
            if part.part is not None and (part.part not in ROLES or part.part == "system"):
                raise BadInput(f'"{part.part[:40]}" is not a part of a prompt; use {", ".join(ROLES[1:])}.')
        return tuple(Part(part.part or "input", part.text) for part in self.content)  # type: ignore[arg-type]


class ChatRequest(Picking):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MESSAGES)]
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool = False
    top_logprobs: int = Field(0, ge=0, le=20)

    def prompt(self) -> Prompt:
        """System messages, earlier turns, and the user's last turn with its parts."""
        system = "\n\n".join(m.text for m in self.messages if m.role in ("system", "developer"))
        turns = [message for message in self.messages if message.role in ("user", "assistant")]
        if not turns or turns[-1].role != "user":
            raise BadInput("The last message is not the user's; end the conversation with what the model is asked.")
        if not turns[-1].text.strip():
            raise BadInput("The user's last message is empty; say what the model is asked.")
        own = (*((Part("system", system),) if system else ()), *turns[-1].parts())
        earlier: Any = tuple((turn.role, turn.text) for turn in turns[:-1])
        return Conversation(own, earlier) if earlier else Prompt(own)


class CompletionRequest(Picking):
    """`POST /v1/completions`: a text that is gone on with, without any template."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=PROMPTS)]
        | Ids
        | Annotated[list[Ids], Field(min_length=1, max_length=PROMPTS)]
    )
    max_tokens: int = Field(16, ge=0)
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool = False
    echo_last: int | None = Field(
        None,
        ge=1,
        le=131072,
        description="With echo: log-probabilities of only so many tokens at the end of each prompt; the rest has null.",
    )

    def prompts(self) -> list[str | list[int]]:
        """Each prompt, as text or as token ids."""
        given: Any = self.prompt
        if isinstance(given, str):
            return [given]
        return [given] if isinstance(given[0], int) else list(given)
