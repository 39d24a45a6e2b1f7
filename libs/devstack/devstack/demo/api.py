"""A small client of the gateway and of the sink. It knows no business rule."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

_TIMEOUT = 15.0
_PAUSE = 0.15


class Refused(Exception):
    """The gateway, or something before it, answered an error."""

    def __init__(self, response: httpx.Response) -> None:
        """`problem` is empty, and `reason` the phrase of HTTP, when the answer is no problem+json."""
        is_problem = response.headers.get("content-type", "").startswith("application/problem+json")
        self.status = response.status_code
        self.problem: dict[str, Any] = response.json() if is_problem else {}
        self.reason = str(self.problem.get("reason", response.reason_phrase))
        super().__init__(
            f"{response.request.method} {response.request.url.path}: {self.status} {self.reason}"
        )


class Failed(Exception):
    """Something that the story promises did not hold."""


def check(held: object, what: object) -> None:
    """Raises Failed with `what` unless `held`."""
    if not held:
        raise Failed(str(what))


def only(found: Sequence[T], what: str) -> T:
    """The one that there is. Raises Failed when there is none, or several."""
    check(len(found) == 1, f"{what}: exactly one was expected, and there are {len(found)}")
    return found[0]


class Api:
    """Calls `/v1`, with or without an access token."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        traceparent: str | None = None,
        connections: httpx.Client | None = None,
    ) -> None:
        """`connections` are shared with another Api, which closes them."""
        self.headers = {"traceparent": traceparent} if traceparent else {}
        if token:
            self.headers["authorization"] = f"Bearer {token}"
        self.url = url
        self._http = connections or httpx.Client(base_url=url, timeout=_TIMEOUT)

    def as_member(self, token: str) -> "Api":
        """The same gateway with a token, on the same connections."""
        return Api(self.url, token=token, connections=self._http)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The bare answer, whatever it is."""
        headers = self.headers | options.pop("headers", {})
        return self._http.request(method, path, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET. Raises Refused."""
        return self._answer(self.request("GET", path, params=query))

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON of a POST, None when it has none. `key` is the Idempotency-Key. Raises Refused."""
        headers = {"idempotency-key": f'"{key}"'} if key else {}
        return self._answer(
            self.request("POST", path, json=body if body is not None else {}, headers=headers)
        )

    def _answer(self, response: httpx.Response) -> Any:
        if response.is_success:
            return response.json() if response.content else None
        raise Refused(response)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


class Sink:
    """The mails and traces that the platform has sent."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=_TIMEOUT)

    def mails(self, to: str) -> list[dict[str, Any]]:
        """Whole mails to an address, newest first."""
        found = self.http.get("/mails", params={"to": to}).raise_for_status().json()
        return [self.http.get(f"/mails/{mail['id']}").raise_for_status().json() for mail in found]

    def wait_for_mail(self, to: str, *, matching: str, timeout: float = 30.0) -> dict[str, Any]:
        """The newest mail to an address whose subject or text matches a pattern."""

        def find() -> dict[str, Any] | None:
            hits = (m for m in self.mails(to) if re.search(matching, f"{m['subject']}\n{m['text']}"))
            return next(hits, None)

        return wait_for(f"a mail to {to} that matches {matching!r}", find, timeout=timeout)

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """What is known of a trace."""
        found: list[dict[str, Any]] = self.http.get(f"/traces/{trace_id}").raise_for_status().json()
        return found

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()


def wait_for(what: str, probe: Callable[[], T | None], *, timeout: float = 30.0) -> T:
    """The first answer of `probe` that is not None or False.

    Raises:
        TimeoutError: there was none within `timeout` seconds.
    """
    limit = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > limit:
            raise TimeoutError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(_PAUSE)
