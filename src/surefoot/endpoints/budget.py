"""A budget in requests and tokens, and the meter that holds every request against it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from surefoot.errors import BadInput, SurefootError, nearest


class BudgetSpent(SurefootError):
    """The budget does not allow another request; what was answered is kept."""

    exit_code = 3


@dataclass(frozen=True)
class Budget:
    """The most requests that are sent and tokens that are read and written, of one call. None is without limit."""

    requests: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("requests", "tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(
                    f"The budget of {name} is {value}; give a positive number, or leave it out for no limit."
                )

    @classmethod
    def read(cls, text: str) -> Budget:
        """From `requests=5000,tokens=2e6`."""
        found: dict[str, int] = {}
        for pair in text.split(","):
            name, _, value = (part.strip() for part in pair.partition("="))
            if name not in ("requests", "tokens"):
                raise BadInput(f'A budget has no "{name}".{nearest(name, ("requests", "tokens"))}')
            try:
                found[name] = int(float(value.replace("_", "")))
            except (ValueError, OverflowError):
                raise BadInput(f'The budget of {name} is "{value}"; give a number such as 5000 or 2e6.') from None
        return cls(**found)

    def __str__(self) -> str:
        told = [f"{value:,} {name}" for name, value in (("requests", self.requests), ("tokens", self.tokens)) if value]
        return " and ".join(told) or "no limit"


@dataclass
class Spending:
    """What a request turned out to cost; `tokens` stays None where the endpoint does not say."""

    tokens: int | None = None


class Meter:
    """Counts requests and tokens of many threads. Tokens are set aside before a request, by estimate, so that requests
    that are under way together do not exceed the budget together."""

    @classmethod
    def of(cls, budget: Budget | Meter | None) -> Meter:
        """A meter as it is, which several models may share; for a budget a new one."""
        return budget if isinstance(budget, Meter) else cls(budget)

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self.requests = self.tokens = self.unsaid = 0
        self._aside = 0
        self._lock = threading.Lock()

    @contextmanager
    def request(self, estimate: int) -> Iterator[Spending]:
        """Around one request. Raises `BudgetSpent` before it is sent."""
        with self._lock:
            self._check(estimate)
            self.requests += 1
            self._aside += estimate
        spending = Spending()
        answered = False
        try:
            yield spending
            answered = True
        finally:
            with self._lock:
                self._aside -= estimate
                if spending.tokens is None and answered:
                    self.unsaid += 1
                    spending.tokens = estimate
                self.tokens += spending.tokens or 0

    def _check(self, estimate: int) -> None:
        budget = self.budget
        over = budget.requests is not None and self.requests >= budget.requests
        if over or (budget.tokens is not None and self.tokens + self._aside + estimate > budget.tokens):
            raise BudgetSpent(
                f"The budget of {budget} is used up ({self}); every answer is kept, and the same command goes on from "
                "there with a new budget."
            )

    def __str__(self) -> str:
        return f"{self.requests:,} requests and {self.tokens:,} tokens"
