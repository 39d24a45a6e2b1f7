"""Sends calls, and repeats one once where that cannot do harm. It knows no operation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from comptoir_client.call import Call
from comptoir_client.failures import Problem, Unreachable
from comptoir_client.version import API_VERSION

_SECONDS = 30.0
_PAUSE = 0.3
_LONGEST_PAUSE = 5.0
_TOO_MANY = 429
_CONFLICT = 409
_PASSING = {502, 503, 504}
_IN_FLIGHT = "IDEMPOTENCY_KEY_IN_FLIGHT"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds, if the answer says so."""
        said = self.headers.get("retry-after", "")
        return float(said) if said.isdecimal() else None


class Connection:
    """Calls one gateway, as one caller. Threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = _SECONDS,
        version: str = API_VERSION,
        on_answer: Callable[[Answer], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        http: httpx.Client | None = None,
    ) -> None:
        """Opens nothing yet.

        Args:
            url: of the gateway, like "https://book.example".
            token: an access token or an API key; without, the calls are anonymous.
            timeout: seconds until a connection, or the next piece of an answer.
            version: the dated version of the API; the types here are of the default one.
            on_answer: is shown every answer: its rate limits, its ETag, its request id.
            sleep: waits before a repetition.
            http: carries the calls, and is the caller's to close.
        """
        self._url = url.rstrip("/")
        self._token = token
        self._version = version
        self._on_answer = on_answer
        self._sleep = sleep
        self._timeout = timeout
        self._owned = http is None
        self._http = http or httpx.Client(timeout=timeout)

    def with_token(self, token: str | None) -> Self:
        """The same gateway as another caller, on the same connections: only the first one closes them."""
        return type(self)(
            self._url,
            token=token,
            timeout=self._timeout,
            version=self._version,
            on_answer=self._on_answer,
            sleep=self._sleep,
            http=self._http,
        )

    def close(self) -> None:
        """Closes the connections, unless they are shared."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, call: Call) -> Answer:
        """The success of a call, which was repeated once if its first failure may pass.

        Raises:
            Problem: the API refused.
            Unreachable: there was no answer.
            ValueError: a parameter of the path leads nowhere.
        """
        address, headers = self._url + call.target, self._headers() | call.headers()
        try:
            answer = self._try(call, address, headers)
            pause = _pause(call, answer)
        except httpx.TransportError as error:
            if not call.repeatable:
                raise Unreachable(f"{call.method} {call.path}: {error}") from error
            pause = _PAUSE
        if pause is not None:
            self._sleep(pause)
            try:
                answer = self._try(call, address, headers)
            except httpx.TransportError as error:
                raise Unreachable(f"{call.method} {call.path}: {error}") from error
        if not httpx.codes.is_success(answer.status):
            raise Problem(answer.status, answer.content, retry_after=answer.retry_after)
        return answer

    def _json(self, call: Call) -> object:
        return json.loads(self.send(call).content)

    def _text(self, call: Call) -> str:
        return self.send(call).content.decode()

    def _headers(self) -> dict[str, str]:
        headers = {"Comptoir-Version": self._version, "User-Agent": "comptoir-client-python"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _try(self, call: Call, address: str, headers: Mapping[str, str]) -> Answer:
        response = self._http.request(call.method, address, content=call.content, headers=dict(headers))
        found = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, found, response.content)
        if self._on_answer is not None:
            self._on_answer(answer)
        return answer


def _pause(call: Call, answer: Answer) -> float | None:
    """Seconds until the repetition that an answer is worth, None when it is worth none."""
    pause = _PAUSE if answer.retry_after is None else answer.retry_after
    if pause > _LONGEST_PAUSE:
        return None
    if answer.status == _TOO_MANY:  # nothing was begun
        return pause
    if answer.status == _CONFLICT:
        return pause if Problem(answer.status, answer.content).reason == _IN_FLIGHT else None
    return pause if answer.status in _PASSING and call.repeatable else None
