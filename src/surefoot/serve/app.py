"""The HTTP side: routes of the OpenAI protocol, keys, limits, and errors as one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from surefoot.errors import SurefootError
from surefoot.serve.catalogue import Catalogue
from surefoot.serve.desk import Desk, Limits
from surefoot.serve.engine import Engine, Full
from surefoot.serve.faults import Guarded
from surefoot.serve.limits import Bounded
from surefoot.serve.requests import ChatRequest, CompletionRequest


def build_app(catalogue: Catalogue, engine: Engine, limits: Limits | None = None, keys: Sequence[str] = ()) -> FastAPI:
    """The application. Without `keys` everybody may ask."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        yield
        await asyncio.to_thread(engine.stop)

    app = FastAPI(title="Surefoot", lifespan=lifespan, docs_url=None, redoc_url=None)
    limits = limits or Limits()
    app.add_middleware(Bounded, limit=limits.body_bytes)
    app.add_middleware(Guarded)
    desk = Desk(catalogue, engine, limits)

    async def key(request: Request) -> None:
        check_key(request.headers.get("authorization", ""), keys)

    guarded: Any = {"dependencies": [Depends(key)], "responses": ERRORS}

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the server works, and on how much."""
        return {"status": "ok", "running": engine.running, "waiting": len(engine.waiting)}

    @app.get("/v1/models", **guarded)
    async def models() -> dict[str, Any]:
        """The model, and with each treatment that is offered."""
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "surefoot"} for name in catalogue.names()]
        return {"object": "list", "data": listed}

    @app.post("/v1/chat/completions", response_model=None, **guarded)
    async def chat(body: ChatRequest, request: Request) -> Any:
        """A conversation that the model goes on with."""
        return await desk.chat(body, request)

    @app.post("/v1/completions", response_model=None, **guarded)
    async def completions(body: CompletionRequest, request: Request) -> Any:
        """A text that the model goes on with; with `echo` the probabilities of its own tokens."""
        return await desk.complete(body, request)

    for error, answer in ((SurefootError, _refused), (RequestValidationError, _invalid), (HTTPException, _http)):
        app.add_exception_handler(error, answer)  # type: ignore[arg-type]
    app.add_exception_handler(Full, _full)  # type: ignore[arg-type]
    return app


def check_key(header: str, keys: Sequence[str]) -> None:
    """Compares in constant time with every key, so that the time tells nothing."""
    given = header.removeprefix("Bearer ").strip().encode()
    if keys and not any([hmac.compare_digest(given, key.encode()) for key in keys]):  # noqa: C419 - all are compared
        raise HTTPException(401, "The API key is missing or wrong; send it as Authorization: Bearer KEY.")


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "A sentence that says what is wrong with the request"},
    401: {"description": "No key, or a wrong one"},
    404: {"description": "No such model"},
    413: {"description": "The body is too large"},
    429: {"description": "The queue is full; Retry-After says when to come again"},
    504: {"description": "It took too long"},
}


def _error(status: int, sentence: str, kind: str, headers: dict[str, str] | None = None) -> JSONResponse:
    body = {"error": {"message": sentence, "type": kind, "param": None, "code": None}}
    return JSONResponse(body, status, headers=headers)


async def _refused(_: Request, error: SurefootError) -> JSONResponse:
    missing = str(error).startswith("There is no model")
    return _error(404 if missing else 400, str(error), "invalid_request_error")


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    place = ".".join(str(part)[:40] for part in first["loc"][1:])
    return _error(400, f"{place or 'The body'}: {first['msg']}.", "invalid_request_error")


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    kinds = {401: "authentication_error", 404: "not_found_error"}
    kind = kinds.get(error.status_code, "server_error" if error.status_code >= 500 else "invalid_request_error")
    return _error(error.status_code, str(error.detail), kind, dict(error.headers or {}))


async def _full(_: Request, __: Full) -> JSONResponse:
    return _error(429, "The server is full; try again later.", "rate_limit_error", {"Retry-After": "2"})
