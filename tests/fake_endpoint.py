"""A small OpenAI-compatible server on loopback, in a thread. Its numbers come straight from a model of transformers.

It shares no code with the client: tokens and log-probabilities are computed here, by a plain forward pass.
`Fake.faults` is asked before each request what goes wrong with it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

import tiny

Fault = Callable[[BaseHTTPRequestHandler], bool]
"""Answers in its own way; True where it wrote the whole answer, False where the usual one follows."""


@dataclass
class Fake:
    """What the server offers, what it was asked (path, headers and body of each request), and what goes wrong."""

    names: tuple[str, ...] = ("tiny",)
    completions: bool = True
    chat: bool = True
    echo: bool = True
    prompt_logprobs: bool = False
    wants_a_token: bool = False
    ids: bool = True
    lists: bool = True
    top: int = 20
    chat_top: int = 20
    limit: str = "max_tokens"
    usage: bool = True
    listed: bool = False
    chat_text: str | None = None
    url: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    faults: Callable[[int, str], Fault | None] = lambda _, __: None
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    under_way: int = 0
    most_under_way: int = 0

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for path, _, body in self.asked if path != "/v1/models"]


class Refused(Exception):
    """Status 400."""


TOKENIZER = tiny.tokenizer()
LOCK = threading.Lock()


def logprobs_of(ids: list[int]) -> torch.Tensor:
    """log p of every token of the vocabulary behind every prefix, shape (tokens, vocabulary)."""
    return _logprobs_of(tuple(ids))


@lru_cache(maxsize=4096)
def _logprobs_of(ids: tuple[int, ...]) -> torch.Tensor:
    with LOCK, torch.no_grad():
        return torch.log_softmax(tiny.llama_weights()(torch.tensor([ids])).logits[0].double(), -1)


@cache
def word(token: int) -> str:
    return str(TOKENIZER.decode([token]))


def write(ids: list[int], length: int, temperature: float, seed: int) -> list[int]:
    draw = torch.Generator().manual_seed(seed)
    new: list[int] = []
    while len(new) < length:
        logprobs = logprobs_of([*ids, *new])[-1]
        if temperature:
            new.append(int(torch.multinomial(torch.softmax(logprobs / temperature, -1), 1, generator=draw)))
        else:
            new.append(int(logprobs.argmax()))
        if new[-1] == TOKENIZER.eos_token_id:
            break
    return new


def completion(fake: Fake, body: dict[str, Any]) -> dict[str, Any]:
    prompt = body["prompt"]
    several = isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
    if (several and not fake.lists) or (isinstance(prompt, list) and not several and not fake.ids):
        raise Refused("the prompt must be a string")
    if (body.get("echo") and not fake.echo) or ("prompt_logprobs" in body and not fake.prompt_logprobs):
        raise Refused("this is not supported")
    if (body.get("logprobs") or 0) > fake.top:
        raise Refused(f"logprobs must be at most {fake.top}")
    if fake.wants_a_token and body.get("max_tokens") == 0:
        raise Refused("max_tokens must be at least 1")
    read = written = 0
    choices = []
    for number, one in enumerate(prompt if several else [prompt]):
        ids = one if isinstance(one, list) else TOKENIZER(one)["input_ids"]
        new = write(ids, body.get("max_tokens", 16), body.get("temperature", 1), body.get("seed", 0))
        choices.append({"index": number, **completed(body, ids, new)})
        read, written = read + len(ids), written + len(new)
    if several:
        choices.reverse()  # the protocol numbers them, and a client must go by that
    for choice in choices if fake.listed else ():
        choice["logprobs"] = choice["logprobs"] and as_chat(choice["logprobs"])
    return counted(fake, {"object": "text_completion", "choices": choices}, read, written)


def as_chat(told: dict[str, Any]) -> dict[str, Any]:
    """The shape of chat completions, which llama.cpp's server uses for completions too."""
    rows = zip(told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True)
    return {
        "content": [
            {"token": t, "logprob": v, "top_logprobs": [{"token": o, "logprob": w} for o, w in (top or {}).items()]}
            for t, v, top in rows
        ]
    }


def completed(body: dict[str, Any], ids: list[int], new: list[int]) -> dict[str, Any]:
    whole, start = [*ids, *new], 0 if body.get("echo") else len(ids)
    values = logprobs_of(whole)
    own = [None if k == 0 else float(values[k - 1, whole[k]]) for k in range(len(whole))]
    end = new[-1:] == [TOKENIZER.eos_token_id]
    text = "".join(word(t) for t in (ids if body.get("echo") else [])) + "".join(word(t) for t in new[: len(new) - end])
    choice: dict[str, Any] = {"text": text, "finish_reason": "stop" if end else "length", "logprobs": None}
    if body.get("logprobs") is not None:
        tokens = [word(token) for token in whole]
        offsets = [sum(map(len, tokens[start:k])) for k in range(start, len(whole))]
        tops = [None if k == 0 else best(values[k - 1], body["logprobs"]) for k in range(len(whole))] if start else []
        choice["logprobs"] = {
            "tokens": tokens[start:],
            "token_logprobs": own[start:],
            "top_logprobs": [top and {word(t): v for t, v in top} for top in tops[start:]] if start else None,
            "text_offset": offsets,
        }
    if "prompt_logprobs" in body:
        choice["prompt_logprobs"] = [
            own[k] and {str(token): {"logprob": own[k], "rank": 1, "decoded_token": word(token)}}
            for k, token in enumerate(ids)
        ]
    return choice


def best(values: torch.Tensor, count: int) -> list[tuple[int, float]]:
    found = values.topk(count)
    return list(zip(found.indices.tolist(), found.values.tolist(), strict=True))


def chat(fake: Fake, body: dict[str, Any]) -> dict[str, Any]:
    if fake.limit not in body:
        raise Refused(f"unsupported parameter; use {fake.limit}")
    if (body.get("top_logprobs") or 0) > fake.chat_top or (body.get("logprobs") and not fake.chat_top):
        raise Refused("top_logprobs is too large")
    text = TOKENIZER.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    new = write(ids, body[fake.limit], body.get("temperature", 1), body.get("seed", 0))
    end = new[-1] == TOKENIZER.eos_token_id
    values = logprobs_of([*ids, *new])[len(ids) - 1 :]
    content = [
        {
            "token": word(token),
            "logprob": float(values[k, token]),
            "top_logprobs": [{"token": word(t), "logprob": v} for t, v in best(values[k], body.get("top_logprobs", 0))],
        }
        for k, token in enumerate(new)
    ]
    said = "".join(word(t) for t in new[: len(new) - end]) if fake.chat_text is None else fake.chat_text
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said},
        "finish_reason": "stop" if end else "length",
        "logprobs": {"content": content} if body.get("logprobs") else None,
    }
    return counted(fake, {"object": "chat.completion", "choices": [choice]}, len(ids), len(new))


def counted(fake: Fake, answer: dict[str, Any], read: int, written: int) -> dict[str, Any]:
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {**answer, "id": "x", "model": fake.names[0], **({"usage": usage} if fake.usage else {})}


def handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 65536

        def log_message(self, *_: Any) -> None:
            return

        def do_GET(self) -> None:
            if self._faulty({}):
                return
            give(self, 200, {"data": [{"id": name, "object": "model"} for name in fake.names]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with LOCK:
                fake.under_way += 1
                fake.most_under_way = max(fake.under_way, fake.most_under_way)
            try:
                if not self._faulty(body):
                    self._answer(body)
            finally:
                with LOCK:
                    fake.under_way -= 1

        def _answer(self, body: dict[str, Any]) -> None:
            is_chat = self.path == "/v1/chat/completions"
            if not (fake.chat if is_chat else fake.completions and self.path == "/v1/completions"):
                give(self, 404, {"error": {"message": "Not Found"}})
                return
            if body["model"] not in fake.names:
                give(self, 404, {"error": {"message": f"The model {body['model']} does not exist"}})
                return
            try:
                give(self, 200, fake.change((chat if is_chat else completion)(fake, body)))
            except Refused as error:
                give(self, 400, {"error": {"message": str(error)}})

        def _faulty(self, body: dict[str, Any]) -> bool:
            with LOCK:
                number = len(fake.asked)
                fake.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            fault = fake.faults(number, self.path)
            return fault is not None and fault(self)

    return Handler


def give(
    handler: BaseHTTPRequestHandler,
    status: int,
    content: Any,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    """An answer; `content` is bytes, or a value that becomes JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content, default=str).encode()
    handler.send_response(status)
    for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def status(code: int, message: str = "", **headers: str) -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> bool:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        give(handler, code, {"error": {"message": message}}, headers=named)
        return True

    return fault


def raw(content: bytes, kind: str = "application/json", code: int = 200) -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> bool:
        give(handler, code, content, kind)
        return True

    return fault


def reset(handler: BaseHTTPRequestHandler) -> bool:
    """The connection is closed without an answer."""
    handler.close_connection = True
    handler.connection.close()
    return True


@contextmanager
def serving(fake: Fake | None = None, **offers: Any) -> Iterator[Fake]:
    """The server, for as long as the block runs."""
    fake = fake or Fake(**offers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
