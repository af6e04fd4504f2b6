"""From an address to a model: which one, what it offers, and how its prompts are rendered."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from surefoot.endpoints.address import Address, address_of
from surefoot.endpoints.client import Client
from surefoot.endpoints.model import EndpointModel
from surefoot.endpoints.offers import SENTENCE, WORD, Offers, offers_of
from surefoot.endpoints.retrying import persistently
from surefoot.endpoints.settings import EndpointSettings
from surefoot.endpoints.transport import Transport, Unanswered
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import ModelCard
from surefoot.text.formats import Format, PlainFormat, PromptEncoder, format_for

LISTED = 10
FIRST = 10.0  # seconds of waiting for an endpoint that may not be there


def connect(
    spec: str, model: str | None = None, format: str = "auto", settings: EndpointSettings | None = None
) -> EndpointModel:
    """The model behind `spec`, `http://host:port/v1` or `http://host:port/v1#model`.

    model: its name there; by default what stands behind `#`, else the only one that the endpoint lists. format: `chat`
    (through the endpoint's template, or through the tokenizer's where there is one), `plain` (`completions` of the text
    as it is), `chat-prefill` (needs a tokenizer), or `auto`: `chat` where that is offered.

    Raises `BadInput` for an address or a name that cannot be used, `NotAvailable` where the endpoint does not answer.
    Cost: about ten requests of a few tokens.
    """
    settings = settings or EndpointSettings()
    address = address_of(spec)
    if model and address.model and model != address.model:
        raise BadInput(f'The address names the model "{address.model}" and model is "{model}"; give one of them.')
    encoding = _Encoding.load(settings.tokenizer, format) if settings.tokenizer else None
    transport = Transport(address, settings.timeout, settings.concurrency)
    client = Client(transport, "", settings)
    listed = listing(client)
    client.model = model or address.model or only_model(client, listed)
    ids = encoding.encoder.labels([SENTENCE + WORD])[0] if encoding else None
    offers = offers_of(client, ids)
    client.together = settings.together if offers.together else 1
    rendering, encoder = _rendering(format, offers, encoding, client.model)
    card = _card(address, client.model, offers, rendering, settings)
    return EndpointModel(client, offers, card, rendering, encoder)


def listing(client: Client) -> dict[str, Any] | Unanswered:
    """What the endpoint lists, or why it does not. Raises `Unanswered` soon where nobody answers at all."""
    patience = client.settings.patience
    hasty = replace(patience, seconds=min(FIRST, patience.seconds))
    try:
        return persistently(lambda: client.transport.send("models"), hasty, threading.Event())
    except Unanswered as error:
        if not error.failure.status and error.failure.again != "few":
            raise
        return error


def only_model(client: Client, listed: dict[str, Any] | Unanswered) -> str:
    """The name of the one model that the endpoint lists. Raises `BadInput` where there are several or none."""
    base = client.transport.address.base
    if isinstance(listed, Unanswered):
        if listed.failure.status in (0, 401, 403):
            raise listed
        raise BadInput(f"{base} does not list its models ({listed.failure}); name one: {base}#name")
    data = listed.get("data")
    names = [one["id"] for one in data if isinstance(one, Mapping) and one.get("id")] if isinstance(data, list) else []
    if len(names) == 1:
        return str(names[0])
    if not names:
        raise BadInput(f"{base} lists no model; name one: {base}#name")
    told = ", ".join(map(str, names[:LISTED])) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    raise BadInput(f"{base} has {len(names)} models ({told}); name one: {base}#{names[0]}")


class _Encoding(NamedTuple):
    """The tokenizer that renders prompts here."""

    spec: str
    encoder: PromptEncoder

    @classmethod
    def load(cls, spec: str, format: str) -> _Encoding:
        from surefoot.models.place import load_tokenizer

        tokenizer = load_tokenizer(spec)
        return cls(spec, PromptEncoder(tokenizer, format_for(tokenizer, format)))


def _rendering(
    format: str, offers: Offers, encoding: _Encoding | None, name: str
) -> tuple[Format | None, PromptEncoder | None]:
    """Who renders prompts: a format of ours for `completions`, or None for the endpoint's chat template."""
    if encoding is not None:
        if not offers.completions:
            raise NotAvailable(f'"{name}" offers no completions, which a tokenizer needs; leave out the tokenizer.')
        if offers.prompt_logprobs and not offers.ids:
            raise NotAvailable(
                f'"{name}" does not take the token ids of the tokenizer "{encoding.spec}"; leave the tokenizer out, or '
                "give the model's own."
            )
        return encoding.encoder.format, encoding.encoder
    if format not in ("auto", "chat", "plain"):
        raise BadInput(f'The format "{format}" needs the model\'s tokenizer at an endpoint; give it with --tokenizer.')
    chat = format == "chat" or (format == "auto" and offers.chat)
    if not (offers.chat if chat else offers.completions):
        call, other = ("chat completions", "plain") if chat else ("completions", "chat")
        raise NotAvailable(f'"{name}" offers no {call} at this endpoint; use --format {other}.')
    return (None, None) if chat else (PlainFormat(), None)


def _card(address: Address, name: str, offers: Offers, format: Format | None, settings: EndpointSettings) -> ModelCard:
    """The address is part of the identity: two endpoints with a model of one name need not have the same weights."""
    way = "token ids" if settings.tokenizer and offers.ids else "messages" if format is None else "text"
    determinants: dict[str, Any] = {"endpoint": address.base, "asked with": way}
    if settings.tokenizer:
        determinants["tokenizer"] = settings.tokenizer
    return ModelCard(
        name=name,
        format="endpoint's chat" if format is None else format.name,
        format_digest="" if format is None else format.digest,
        determinants=determinants,
        details={"spec": f"{address.base}#{name}", "offers": offers.told()},
    )
