"""A second model beside the treated one: an amateur to contrast with, a draft model to run ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel

if TYPE_CHECKING:
    from surefoot.decoding.rows import Vocabulary


def second_model(given: Any, model: LanguageModel, role: str) -> LanguageModel:
    """The model that a setting names or is, over the very vocabulary of `model`. `role` is the setting's name."""
    from surefoot.models.load import load

    second = load(given) if isinstance(given, str) else given
    if not isinstance(second, LanguageModel):
        raise BadInput(f"{role} is {given!r}; give a loaded model or what surefoot.load takes.")
    second.require("logits", by=f"The setting {role}")
    ours, theirs = model.vocabulary, second.vocabulary
    if ours.size != theirs.size or words(ours) != words(theirs):
        raise BadInput(
            f'"{second.name}" ({theirs.size} tokens) does not share the vocabulary of "{model.name}" '
            f"({ours.size} tokens); take a {role} of the same family."
        )
    return second


def words(vocabulary: Vocabulary) -> Any:
    """The id of each token."""
    return vocabulary.tokenizer.get_vocab()


def told(second: LanguageModel) -> dict[str, Any]:
    """What a model's card says of a second one, as JSON values."""
    card = second.card
    return {"name": card.name, "revision": card.revision, "dtype": card.dtype, "determinants": dict(card.determinants)}
