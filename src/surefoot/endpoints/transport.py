"""One request over HTTP and what can become of it. The only module that knows the HTTP client."""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from surefoot.endpoints.address import KEYS, Address, key_for
from surefoot.errors import NotAvailable

ANSWER_BYTES = 64 * 2**20  # the most that is read of one answer
EXCERPT = 200
WAIT = frozenset({408, 425, 429, 502, 503, 504, 529})


class Failure(Exception):
    """A request that brought no answer. `again`: `wait` (busy or unreachable), `few` (a broken answer), or `never`."""

    def __init__(
        self, sentence: str, again: Literal["wait", "few", "never"], status: int = 0, after: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.again, self.status, self.after = again, status, after


class Unanswered(NotAvailable):
    """What a user sees of a failure that was not got over."""

    def __init__(self, sentence: str, failure: Failure) -> None:
        super().__init__(sentence)
        self.failure = failure


class Transport:
    """Sends JSON to one endpoint and reads JSON. The key is in the client's headers and in nothing that is shown."""

    def __init__(self, address: Address, timeout: float, connections: int) -> None:
        try:
            import httpx
        except ImportError:
            raise NotAvailable("Endpoints need the package httpx; install it: pip install httpx") from None
        self.address, self.timeout = address, timeout
        self._key = key_for(address)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        self._httpx = httpx
        self._client = httpx.Client(
            headers=headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx.Timeout(timeout, connect=min(10.0, timeout)),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
            trust_env=not address.is_loopback,  # proxies; never for this machine itself
        )

        weakref.finalize(self, self._client.close)

    def __repr__(self) -> str:
        return f"<Transport to {self.address.base}>"

    def send(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a POST of `body`, or to a GET where there is none. Raises `Failure`."""
        url, deadline = f"{self.address.base}/{path}", time.monotonic() + self.timeout
        httpx = self._httpx
        try:
            with self._client.stream("GET" if body is None else "POST", url, json=body) as response:
                content = self._read(response, deadline)
                self._refuse(response, content)
        except httpx.TimeoutException:
            raise self._slow() from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Failure(f"{self.address.base} cannot be reached ({self._tame(str(error))})", "wait") from None
        return self._parsed(content, response.headers.get("content-type", ""))

    def _read(self, response: Any, deadline: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > ANSWER_BYTES:
                raise Failure(f"{self.address.base} sent an answer of more than {ANSWER_BYTES >> 20} MB", "never")
            if time.monotonic() > deadline:
                raise self._slow()
        return bytes(content)

    def _refuse(self, response: Any, content: bytes) -> None:
        status, base = response.status_code, self.address.base
        if status < 300:
            return
        if status < 400:
            parts = urlsplit(response.headers.get("location", ""))
            where = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another place"
            raise Failure(
                f"{base} redirects to {where}, which is not followed; give the address that is meant", "never"
            )
        said = self._said(content)
        if status in (401, 403):
            told = "refuses the key" if self._key else f"asks for a key, which belongs into {KEYS[0]}"
            raise Failure(f"{base} {told} (status {status}{said})", "never", status)
        again: Literal["wait", "few", "never"] = "wait" if status in WAIT else "few" if status == 500 else "never"
        if status > 504 and status not in WAIT:
            again = "wait"
        raise Failure(f"{base} answers with status {status}{said}", again, status, retry_after(response.headers))

    def _parsed(self, content: bytes, kind: str) -> dict[str, Any]:
        base = self.address.base
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            page = content.lstrip()[:1] == b"<" or "html" in kind
            what = "a web page" if page else "what is no JSON or only its beginning"
            hint = "; its address often ends in /v1" if page else ""
            raise Failure(f"{base} answers with {what}{hint}", "few") from None
        if not isinstance(answer, dict):
            raise Failure(f"{base} answers with JSON that is no object", "few")
        if answer.get("error"):
            raise Failure(f"{base} answers with an error{self._said(content)}", "few")
        return answer

    def _said(self, content: bytes) -> str:
        """What the endpoint says of an error, in a few words."""
        try:
            told = json.loads(content)
            error = told.get("error", told.get("detail", told.get("message", "")))
            text = error.get("message", "") if isinstance(error, dict) else error
        except (ValueError, AttributeError, RecursionError):
            text = ""
        text = self._tame(text if isinstance(text, str) else json.dumps(text))
        return f": {text}" if text else ""

    def _tame(self, text: str) -> str:
        """One short line without the key."""
        text = " ".join(text.split())
        if self._key:
            text = text.replace(self._key, "[key]")
        return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."

    def _slow(self) -> Failure:
        return Failure(f"{self.address.base} gave no answer within {self.timeout:g} seconds", "wait")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` asks for, as a number or a date; None where there is none that can be read."""
    told = headers.get("retry-after", "").strip()
    if not told:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None
