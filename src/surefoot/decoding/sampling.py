"""How the next token is picked: settings of one prompt's generation. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import BadInput


@dataclass(frozen=True)
class Penalties:
    """What makes a token less likely because it was there before.

    `repetition` r divides positive logits of tokens of the prompt and the text by r and multiplies negative ones by it
    (Keskar et al. 2019, arXiv:1909.05858; 1 is off). `presence` is taken from the logit of each token that was written,
    `frequency` once for every time that it was (the two of the OpenAI protocol, within -2..2; 0 is off).
    """

    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0

    def __post_init__(self) -> None:
        if not 0.01 <= self.repetition <= 100:
            raise BadInput(f"The repetition penalty is {self.repetition}; use a number from 0.01 to 100, 1 for none.")
        for name in ("presence", "frequency"):
            if not -2 <= getattr(self, name) <= 2:
                raise BadInput(f"The {name} penalty is {getattr(self, name)}; use a number from -2 to 2, 0 for none.")


@dataclass(frozen=True)
class Sampling:
    """How the next token is picked. Temperature 0 is greedy; otherwise the seed fixes every draw of every prompt.

    Applied in this order: penalties, temperature, then what keeps a part of the distribution: `top_k` most probable
    tokens (0: all); `top_p`, the smallest set with at least this mass; `min_p`, tokens with at least this share of the
    most probable one's; `typical_p`, the mass of tokens whose surprisal is nearest to the entropy (Meister et al. 2022,
    arXiv:2202.00666); `eta`, a floor that falls with the entropy (Hewitt et al. 2022, arXiv:2210.15191).
    """

    max_new_tokens: int = 32
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float = 1.0
    eta: float = 0.0
    penalties: Penalties = field(default_factory=Penalties)

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise BadInput(f"max_new_tokens is {self.max_new_tokens}; ask for at least one token.")
        if self.temperature and not 0.001 <= self.temperature <= 1000:
            raise BadInput(f"The temperature is {self.temperature}; use 0 for greedy, or a number from 0.001 to 1000.")
        if self.top_k < 0:
            raise BadInput(f"top_k is {self.top_k}; use the number of tokens to keep, 0 for all.")
        if any(not text for text in self.stop):
            raise BadInput("A stop text is empty and would end every answer at once; leave it out.")
        _within("top_p", self.top_p, 0 < self.top_p <= 1, "above 0 and up to 1")
        _within("typical_p", self.typical_p, 0 < self.typical_p <= 1, "above 0 and up to 1")
        _within("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 to 1")
        _within("eta", self.eta, 0 <= self.eta < 1, "from 0 (off) to below 1")


def _within(name: str, value: Any, holds: bool, allowed: str) -> None:
    if not holds:
        raise BadInput(f"{name} is {value}; use a number {allowed}.")
