"""Remembers every secret that goes through an HTTP client, to look for it afterwards in what was logged.

It hears fields by their names, in requests and answers alike. Codes of six digits are too short to look for.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

NAMES = frozenset(
    {
        "access_token",
        "challenge",
        "client_secret",
        "current_password",
        "device_token",
        "manage_token",
        "new_password",
        "old_password",
        "password",
        "recovery_codes",
        "refresh_token",
        "secret",
        "sso_code",
        "token",
        "uri",
        "verifier",
        "waitlist_token",
    }
)
_SHORTEST = 16
_WORD = re.compile(rb"[\w-]{16,}")
_LINK = re.compile(r"/(?:manage|waitlist)/([\w-]{16,})")
_ID = re.compile(rb"[a-z]{2,4}_[0-7][0-9a-hjkmnp-tv-z]{25}")
"""A typed id stands where a link's secret does, in what staff call; it is none."""


@dataclass
class Overheard:
    """Secrets by themselves: what was heard, and as what."""

    secrets: dict[bytes, str] = field(default_factory=dict)

    def hear(self, what: str, value: object) -> None:
        """Remembers the words of a secret that are long enough to be nothing else."""
        if isinstance(value, str):
            for word in _WORD.findall(value.encode()):
                if not _ID.fullmatch(word):
                    self.secrets.setdefault(word, what)
        elif isinstance(value, list):
            for each in value:
                self.hear(what, each)

    def read(self, document: object) -> None:
        """Hears whatever a JSON document says under the name of a secret, however deep."""
        if isinstance(document, dict):
            for name, value in document.items():
                if name in NAMES:
                    self.hear(name, value)
                self.read(value)
        elif isinstance(document, list):
            for each in document:
                self.read(each)

    def listen(self, answer: httpx.Response) -> None:
        """An event hook of `httpx.Client`: both sides of one exchange."""
        answer.read()
        self._exchange(answer)

    async def alisten(self, answer: httpx.Response) -> None:
        """The same for `httpx.AsyncClient`."""
        await answer.aread()
        self._exchange(answer)

    def found_in(self, content: bytes) -> set[str]:
        """As what each was heard that stands in `content` as a word of its own."""
        words = set(_WORD.findall(content))
        return {self.secrets[word] for word in words & self.secrets.keys()}

    def _exchange(self, answer: httpx.Response) -> None:
        request = answer.request
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self.hear("authorization", credentials)
        self.hear("a link", _LINK.findall(request.url.path))
        location = urlsplit(answer.headers.get("location", ""))
        self.read(dict(parse_qsl(location.query)))
        if answer.is_success or answer.is_redirect:
            for document in _documents([request.content, answer.content]):
                self.read(document)


def _documents(bodies: Iterable[bytes]) -> Iterator[Any]:
    for body in bodies:
        try:
            yield json.loads(body)
        except ValueError:
            continue
