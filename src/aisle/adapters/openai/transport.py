"""Requests to an endpoint that may be slow, full, wrong or gone: bounded in number, in size and in time.

A thread of its own runs the requests, because only there can one be ended at
its time whatever the other side does, also when it sends a byte a second.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from aisle.errors import (
    LanguageFailed,
    LanguageLate,
    LanguageNonsense,
    LanguageRefused,
    LanguageUnreachable,
    SettingsError,
)

FIRST_WAIT_S: Final = 0.25
"""Before a request is sent again; doubled each time, and never quite the same, so that clients do not march in step."""

FIRST_REST_S: Final = 1.0
LONGEST_REST_S: Final = 60.0
"""Seconds without the endpoint after a call failed: doubled each time, until one succeeds."""

LONGEST_RETRY_AFTER_S: Final = 600.0
"""A server that asks for more patience is asked again all the same."""

MAX_BYTES: Final = 8_000_000
"""Largest answer that is read."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
Found = TypeVar("Found")


class Refused(LanguageRefused):
    """A status 4xx; `status` and `detail` tell what the server found wrong with the request."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status, self.detail = status, detail


class Rest:
    """After a failure nobody is asked for a while; then one call tries, while the others do without."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._n_failed = 0
        self._until = 0.0

    def begin(self, timeout_s: float) -> None:
        """Raises LanguageUnreachable while it rests."""
        with self._lock:
            if not self._n_failed:
                return
            now = time.monotonic()
            if now < self._until:
                left = self._until - now
                told = f"{self._where} failed, and is tried again in {left:.0f} s"
                raise LanguageUnreachable(told, retry_after_s=left)
            self._until = now + timeout_s  # one tries, the others do without

    def failed(self, retry_after_s: float = 0.0) -> None:
        with self._lock:
            pause = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(self._n_failed, 10))
            self._n_failed += 1
            self._until = time.monotonic() + max(pause, min(retry_after_s, LONGEST_RETRY_AFTER_S))

    def succeeded(self) -> None:
        if self._n_failed:
            with self._lock:
                self._n_failed = 0


class Transport:
    """Posts JSON to `endpoint` (such as http://localhost:8000/v1), each request at most 1 + `retries` times.

    A call that failed to the end makes the next ones fail at once for a while:
    a dead endpoint costs nothing. Raises SettingsError for an endpoint that is none.
    """

    def __init__(self, endpoint: str, *, api_key: str = "", timeout_s: float = 20.0, retries: int = 2) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"language.endpoint: {endpoint[:100]!r} is no address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise SettingsError("language.endpoint: the key must not stand in the address; see language.key_variable")
        self.where = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._key, self._timeout_s, self._retries = api_key, timeout_s, retries
        self._proxied = parts.hostname not in _LOOPBACK
        self._rest = Rest(self.where)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None

    def post(self, path: str, body: dict[str, Any], timeout_s: float | None = None) -> dict[str, Any]:
        """The JSON object that answers. Raises LanguageFailed, whichever fits."""
        patience = self._timeout_s if timeout_s is None else timeout_s
        self._rest.begin(patience)
        try:
            found = self._run(self._post(path, json.dumps(body, ensure_ascii=False).encode(errors="replace"), patience))
        except LanguageUnreachable as error:
            self._rest.failed(error.retry_after_s)
            raise
        except LanguageLate:
            if patience >= self._timeout_s:  # who gave it less time says nothing of the endpoint
                self._rest.failed()
            raise
        except LanguageFailed:
            self._rest.succeeded()  # it does answer
            raise
        self._rest.succeeded()
        return found

    def close(self) -> None:
        """End what is under way; a later call opens anew."""
        with self._lock:
            loop, client, self._loop, self._client = self._loop, self._client, None, None
        if loop is not None:
            if client is not None:
                asyncio.run_coroutine_threadsafe(client.aclose(), loop).result(5)
            loop.call_soon_threadsafe(loop.stop)

    # ---------------------------------------------------------------- inside

    def _run(self, work: Coroutine[Any, Any, Found]) -> Found:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # A daemon: an endpoint that never answers must not keep the process from ending.
                threading.Thread(target=_live, args=(self._loop,), name="aisle-language", daemon=True).start()
            future: Future[Found] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise LanguageUnreachable(f"{self.where} was closed meanwhile") from None
        except BaseException:
            future.cancel()  # whoever waited was interrupted
            raise

    async def _post(self, path: str, body: bytes, patience: float) -> dict[str, Any]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                return await self._tried(path, body, began + patience)
        except TimeoutError:
            raise LanguageLate(f"{self.where} gave no answer within {patience:.3g} s") from None

    async def _tried(self, path: str, body: bytes, until: float) -> dict[str, Any]:
        for attempt in range(self._retries + 1):
            try:
                return await self._once(path, body)
            except (LanguageUnreachable, LanguageNonsense) as error:
                asked = error.retry_after_s if isinstance(error, LanguageUnreachable) else 0.0
                wait = max(asked, FIRST_WAIT_S * 2.0**attempt * random.uniform(0.5, 1.0))  # noqa: S311
                if attempt == self._retries or time.monotonic() + wait >= until:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError("there is a last attempt")

    async def _once(self, path: str, body: bytes) -> dict[str, Any]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=None, trust_env=self._proxied, follow_redirects=False)  # noqa: S113
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        content, size = [], 0
        try:
            async with self._client.stream("POST", self.where + path, content=body, headers=headers) as response:
                async for chunk in response.aiter_bytes():
                    content.append(chunk)
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise LanguageNonsense(f"{self.where} answers with more than {MAX_BYTES:,} bytes")
        except (httpx.HTTPError, OSError) as error:
            told = self._plain(str(error) or type(error).__name__)
            raise LanguageUnreachable(f"{self.where} cannot be reached ({told})", retry_after_s=0.0) from None
        except UnicodeEncodeError:
            raise SettingsError("the key of the language model has characters that no header may have") from None
        return self._read(response, b"".join(content))

    def _read(self, response: httpx.Response, content: bytes) -> dict[str, Any]:
        status = response.status_code
        if status != 200:
            detail = self._plain(_detail(content))
            told = f"{self.where} answers {status}{': ' if detail else ''}{detail}"
            if status in (408, 425, 429) or (status >= 500 and status != 501):
                raise LanguageUnreachable(told, retry_after_s=_retry_after(response.headers.get("retry-after", "")))
            if status in (401, 403):
                told += "; is the key right, in the variable that language.key_variable names?"
            elif status == 404:
                told += "; are language.endpoint (with its /v1) and language.model right?"
            elif 300 <= status < 400:
                told += (
                    f"; it leads to {self._plain(response.headers.get('location', ''))}: set language.endpoint to it"
                )
            raise Refused(told, status, detail)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            raise LanguageNonsense(f"{self.where} answers with what is no JSON, or only a part of it") from None
        if not isinstance(found, dict):
            raise LanguageNonsense(f"{self.where} answers with JSON that is no object")
        return found

    def _plain(self, text: str) -> str:
        """A server's words, short and without the key, which some repeat."""
        shown = text.replace(self._key, "***") if self._key else text
        return " ".join(shown.split())[:300]


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """The thread's life: until it is stopped."""
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_end_what_is_left())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _end_what_is_left() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _detail(content: bytes) -> str:
    """What an error's body says, in any of the usual shapes."""
    text = content[:4000].decode(errors="replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for key in ("error", "detail", "message"):
        if isinstance(found, dict) and key in found:
            found = found[key]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _retry_after(header: str) -> float:
    """Seconds, from a number or a date; 0 without either."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError):
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
