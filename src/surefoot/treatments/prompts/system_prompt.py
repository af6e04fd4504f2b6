"""A system message in front of every prompt: the cheapest treatment there is, and the one to beat.

Needs nothing of the model. A prompt's own system message follows after a blank line, so two of them stack.
"""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.wrapped import Wrapped


@dataclass(frozen=True)
class SystemPrompt:
    """`text` is the message. Models without a chat template read it above the prompt."""

    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadInput("The system message is empty; give text=... something to say.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model with the message in front."""
        return _WithSystem(model, "system-prompt", self)


class _WithSystem(Wrapped):
    settings: SystemPrompt

    def change(self, prompt: Prompt) -> Prompt:
        own = f"\n\n{prompt.system}" if prompt.system else ""
        return prompt.with_system(self.settings.text + own)
