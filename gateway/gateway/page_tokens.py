"""Page tokens as clients see them: sealed, and good for one list, its filters and who asked for it alone.

The services' own tokens, which hold a row's sort key, never leave the gateway.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.routes import Route
from servicekit.errors import InvalidPageToken
from servicekit.identity import Caller

LONGEST = 1024
"""Characters of a token; what the contract takes."""

_PAGE_SIZE, _PAGE_TOKEN, _NEXT = "page_size", "page_token", "next_page_token"
_KEY_BYTES = 64
_PURPOSE = b"comptoir page tokens 1"


class PageTokens:
    """Seals with AES-SIV (RFC 5297): a page always has the same token, so equal answers stay equal bytes."""

    def __init__(self, key: bytes) -> None:
        """Takes a key of 64 bytes."""
        self._cipher = AESSIV(key)

    @classmethod
    def of_key_file(cls, path: Path) -> "PageTokens":
        """By a key derived (HKDF, RFC 5869) from the gateway's signing key, which all its replicas have."""
        kept: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
        secret = base64.urlsafe_b64decode(kept["d"] + "=" * (-len(kept["d"]) % 4))
        return cls(HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret))

    def of_route(self, route: Route) -> "ListTokens | None":
        """The tokens of a route that is a list with pages; None for all others."""
        if _PAGE_TOKEN not in route.request.fields_by_name or _NEXT not in route.response.fields_by_name:
            return None
        return ListTokens(self._cipher, route)


class ListTokens:
    """The tokens of one list."""

    def __init__(self, cipher: AESSIV, route: Route) -> None:
        self._cipher = cipher
        self._operation = route.operation_id.encode()
        self._of_person = route.policy.permission == "self"

    def open(self, request: Any, caller: Caller) -> None:
        """Puts the service's token into a request in the place of the client's, if it has one.

        Raises:
            InvalidPageToken: it is none of ours, or of another list, other filters, or somebody else.
        """
        token = request.page_token
        if not token:
            return
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            if len(token) > LONGEST or _text(sealed) != token:
                raise InvalidPageToken
            request.page_token = self._cipher.decrypt(sealed, self._bound(request, caller)).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise InvalidPageToken from None

    def seal(self, answer: Any, request: Any, caller: Caller) -> None:
        """Seals the next page's token of an answer, if it has one."""
        if answer.next_page_token:
            sealed = self._cipher.encrypt(answer.next_page_token.encode(), self._bound(request, caller))
            answer.next_page_token = _text(sealed)

    def _bound(self, request: Any, caller: Caller) -> list[bytes]:
        """What a token is good for. How large pages are may change on the way."""
        asked = type(request)()
        asked.CopyFrom(request)
        asked.ClearField(_PAGE_SIZE)
        asked.ClearField(_PAGE_TOKEN)
        who = caller.organization.bytes if caller.organization else b""
        person = caller.user or caller.operator
        if person is not None and (self._of_person or not who):
            who += person.bytes
        return [self._operation, who, asked.SerializeToString(deterministic=True)]


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode("ascii").rstrip("=")
