"""Models behind any OpenAI-compatible endpoint: asked over HTTP, with retries, a budget, and answers that are kept.

Nothing here imports the HTTP client until an endpoint is connected to.
"""

from __future__ import annotations

from surefoot.endpoints.budget import Budget, BudgetSpent
from surefoot.endpoints.settings import EndpointSettings

__all__ = ["Budget", "BudgetSpent", "EndpointSettings"]
