"""How an endpoint is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from surefoot.endpoints.budget import Budget, Meter
from surefoot.errors import BadInput


@dataclass(frozen=True)
class Patience:
    """How long is waited for an answer: `seconds` of waiting between the tries of one request, in all.

    The k-th wait is `first` * 2^k seconds, at most `longest`, times a random factor from 0.5 to 1.5; an endpoint that
    says how long (`Retry-After`) is obeyed. Answers that cannot be read and errors 500 are tried `few` times in all,
    and no more once an error 500 has come `same` times in the same words.
    """

    seconds: float = 300.0
    first: float = 0.5
    longest: float = 30.0
    few: int = 4
    same: int = 3


@dataclass(frozen=True)
class EndpointSettings:
    """How an endpoint is asked, beside its address and the model's name.

    tokenizer: `smollm2`, a folder or `hf:org/name`, whose tokenizer and chat template render prompts here; without it
        the endpoint's own template is used, through chat completions.
    budget: of this model object, detection included; a `Meter` is of all models that share it.
    concurrency: requests under way at a time. together: prompts in one request, where the endpoint takes several.
    timeout: seconds that one request may take as a whole.
    """

    tokenizer: str | None = None
    budget: Budget | Meter | None = None
    concurrency: int = 8
    together: int = 16
    timeout: float = 120.0
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        for name in ("concurrency", "together", "timeout"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name} is {getattr(self, name)}; give a positive number.")
