"""From requests to work for the engine, and from its pieces to answers, at once or as a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from surefoot.errors import BadInput, SurefootError
from surefoot.models.base import LanguageModel
from surefoot.serve.answers import Text, chat_logprobs, completion_logprobs, head, usage
from surefoot.serve.catalogue import Catalogue
from surefoot.serve.engine import Engine
from surefoot.serve.jobs import Job, Weighing
from surefoot.serve.mail import Mail, Open, gone
from surefoot.serve.requests import ChatRequest, CompletionRequest, Picking
from surefoot.text.prompt import Part, Prompt, TokenPrompt
from surefoot.treatments.wrapped import innermost


@dataclass(frozen=True)
class Limits:
    """What one request may cost: bytes of its body, new tokens of a text, seconds until its answer is there."""

    body_bytes: int = 2**20
    max_tokens: int = 1024
    seconds: float = 600.0


class Desk:
    """Takes requests to the engine and its pieces back to the client."""

    def __init__(self, catalogue: Catalogue, engine: Engine, limits: Limits) -> None:
        self.catalogue, self.engine, self.limits = catalogue, engine, limits

    async def chat(self, body: ChatRequest, request: Request) -> Any:
        model = self.catalogue.find(body.model, body.treatments, "chat")
        wanted = body.max_completion_tokens or body.max_tokens
        top = body.top_logprobs if body.logprobs else 0
        desk = self._write(model, [body.prompt()], body, self._tokens(wanted), top)
        start, decode = head("chat.completion", body.model), model.vocabulary.decode

        def choice(index: int, text: Text, key: str) -> dict[str, Any]:
            said: dict[str, Any] = {"role": "assistant", "content": text.text}
            logprobs = chat_logprobs(text.tokens, decode) if body.logprobs else None
            return {"index": index, key: said, "logprobs": logprobs, "finish_reason": text.finish_reason or None}

        if body.stream:
            start["object"] = "chat.completion.chunk"
            return self._stream(desk, body, start, lambda index, text: choice(index, text, "delta"))
        texts = await self._gather(desk, request)
        return {
            **start,
            "choices": [choice(k, t, "message") for k, t in enumerate(texts)],
            "usage": used(texts, body.n),
        }

    async def complete(self, body: CompletionRequest, request: Request) -> Any:
        model = self.catalogue.find(body.model, body.treatments, "plain")
        prompts = [_as_prompt(prompt, model) for prompt in body.prompts()]
        if body.echo and body.max_tokens < 2 and body.n == 1 and not body.stream:
            return await self._weighed(model, prompts, body, request)
        if body.echo_last and not body.echo:
            raise BadInput("echo_last is for echo: ask for both, or for none.")
        if body.echo:
            raise BadInput(
                "echo goes with max_tokens 0 or 1, n 1 and no stream here: the probabilities of a given text."
            )
        if body.max_tokens == 0:
            raise BadInput("max_tokens is 0; ask for at least one token, or for the probabilities of a text with echo.")
        desk = self._write(model, prompts, body, self._tokens(body.max_tokens), body.logprobs or 0)
        start, decode = head("text_completion", body.model), model.vocabulary.decode

        def choice(index: int, text: Text) -> dict[str, Any]:
            asked = body.logprobs is not None
            logprobs = completion_logprobs(text.tokens, decode, body.logprobs or 0) if asked else None
            return {
                "index": index,
                "text": text.text,
                "logprobs": logprobs,
                "finish_reason": text.finish_reason or None,
            }

        if body.stream:
            return self._stream(desk, body, start, choice)
        texts = await self._gather(desk, request)
        return {**start, "choices": [choice(k, t) for k, t in enumerate(texts)], "usage": used(texts, body.n)}

    async def _weighed(
        self, model: LanguageModel, prompts: Sequence[TokenPrompt], body: CompletionRequest, request: Request
    ) -> dict[str, Any]:
        context = getattr(innermost(model), "context", None)
        longest = max(len(prompt.ids) for prompt in prompts)
        if context is not None and longest > context:
            raise BadInput(f"A prompt has {longest} tokens and the model reads {context}; shorten it.")
        mail = Mail(len(prompts))
        sampling = body.sampling(1)[0] if body.max_tokens else None
        own = (body.logprobs or 0, sampling, body.echo_last or 0)
        jobs = [Weighing(model, p.ids, mail.slot(k), *own) for k, p in enumerate(prompts)]
        texts = await self._gather(self._submit(mail, jobs), request)
        start, decode = head("text_completion", body.model), model.vocabulary.decode
        choices = []
        for index, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
            asked = body.logprobs is not None
            logprobs = completion_logprobs(text.tokens, decode, body.logprobs or 0) if asked else None
            new = decode([weighed.token for weighed in text.tokens[len(prompt.ids) :]])
            said = {"index": index, "text": prompt.text + new, "logprobs": logprobs}
            choices.append({**said, "finish_reason": text.finish_reason})
        read = sum(len(prompt.ids) for prompt in prompts)
        return {**start, "choices": choices, "usage": usage(read, len(prompts) * body.max_tokens)}

    def _tokens(self, wanted: int | None) -> int:
        if wanted is not None and wanted > self.limits.max_tokens:
            raise BadInput(
                f"max_tokens is {wanted}; this server writes {self.limits.max_tokens} tokens a text at most."
            )
        return wanted or min(256, self.limits.max_tokens)

    def _write(self, model: LanguageModel, prompts: Sequence[Prompt], body: Picking, tokens: int, top: int) -> Open:
        each = [(prompt, sampling) for prompt in prompts for sampling in body.sampling(tokens)]
        if len(each) > self.engine.queue:
            raise BadInput(f"The request asks for {len(each)} texts at once; this server takes {self.engine.queue}.")
        mail = Mail(len(each))
        return self._submit(mail, [Job(model, p, s, mail.slot(k), top) for k, (p, s) in enumerate(each)])

    def _submit(self, mail: Mail, jobs: Sequence[Job | Weighing]) -> Open:
        self.engine.submit(jobs)
        return Open(mail, jobs, asyncio.get_running_loop().time() + self.limits.seconds)

    async def _gather(self, work: Open, request: Request) -> list[Text]:
        """The finished texts. A client that has gone away, or a time that is over, ends the work."""
        texts = [Text() for _ in work.jobs]
        watching = asyncio.create_task(gone(request))
        try:
            async for index, piece in work.pieces(watching):
                texts[index].add(piece)
        finally:
            watching.cancel()
            work.cancel()
        return texts

    def _stream(self, work: Open, body: Picking, start: dict[str, Any], choice: Any) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            written = [Text() for _ in work.jobs]
            try:
                async for index, piece in work.pieces(None):
                    new = Text()
                    new.add(piece)
                    written[index].add(piece)
                    yield _event({**start, "choices": [choice(index, new)]})
                if (body.stream_options or {}).get("include_usage"):
                    yield _event({**start, "choices": [], "usage": used(written, body.n)})
            except (SurefootError, HTTPException) as error:
                yield _event({"error": {"message": str(getattr(error, "detail", error)), "type": "server_error"}})
            finally:
                work.cancel()
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


def used(texts: Sequence[Text], n: int) -> dict[str, int]:
    """Prompt tokens are counted once for the `n` texts of a prompt."""
    return usage(sum(text.prompt_tokens for text in texts[::n]), sum(len(text.tokens) for text in texts))


def _as_prompt(prompt: str | list[int], model: LanguageModel) -> TokenPrompt:
    """Ids as the model would read the text, which for completions has no template."""
    vocabulary = model.vocabulary
    if isinstance(prompt, str):
        ids = tuple(vocabulary.tokenizer(prompt)["input_ids"])
        if not ids:
            raise BadInput("The prompt has no tokens; give some text.")
        return TokenPrompt((Part("input", prompt),), ids)
    if any(token >= vocabulary.size for token in prompt):
        raise BadInput(f"A token id lies beyond the {vocabulary.size} that the model has.")
    return TokenPrompt((Part("input", vocabulary.decode(prompt)),), tuple(prompt))


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
