"""Answers in brotli or gzip, as the client likes it best. Callers say where secrets forbid it (BREACH)."""

import asyncio
import gzip
import re
from collections import OrderedDict
from functools import lru_cache

import brotli

from gateway.conditional import encoded
from gateway.http import Answer
from gateway.settings import CompressionSettings

_TYPES = re.compile(
    rb"(?:text/[a-z.+-]+|application/(?:[a-z.-]+\+)?(?:json|xml)|application/javascript|image/svg\+xml)",
    re.IGNORECASE,
)
_WEIGHT = re.compile(rb"[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_MAX_AGE = re.compile(rb"public\b.*\bmax-age=([0-9]{1,9})")
_STATIC_SECONDS = 60
"""What caches may keep for so long is the same for all, and compressed once."""
_FAST, _SMALL = 4, 9
_IDENTITY = b"identity"
_LONGEST_HEADER = 256


class Compressor:
    """Compresses what is worth it, and keeps the compressed copies of static documents."""

    def __init__(self, settings: CompressionSettings) -> None:
        self._settings = settings
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    async def __call__(self, answer: Answer, accept_encoding: bytes) -> Answer:
        """The answer in the encoding that the client likes best; as it is when it is no text, or short."""
        if len(answer.body) < self._settings.least_bytes:
            return answer
        encoding = preferred(accept_encoding)
        names = dict(answer.headers)
        if encoding == _IDENTITY or not _is_text(names):
            return answer
        age = _MAX_AGE.match(names.get(b"cache-control", b""))
        if age is not None and int(age[1]) >= _STATIC_SECONDS:
            body = await self._once(encoding, names.get(b"etag", b""), answer.body)
        else:
            body = await self._compressed(encoding, answer.body, _FAST)
        return encoded(answer, encoding, body)

    async def _once(self, encoding: bytes, etag: bytes, body: bytes) -> bytes:
        """The kept copy. Tags are digests of bodies, so that none can be another's."""
        key = encoding + etag
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        made = await self._compressed(encoding, body, _SMALL)
        if etag and key not in self._kept:
            self._kept[key] = made
            self._bytes += len(made)
            while self._bytes > self._settings.kept_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])
        return made

    async def _compressed(self, encoding: bytes, body: bytes, level: int) -> bytes:
        if len(body) <= self._settings.inline_bytes:
            return _compress(encoding, body, level)
        return await asyncio.to_thread(_compress, encoding, body, level)


def preferred(accept_encoding: bytes) -> bytes:
    """`br`, `gzip` or `identity`: what weighs most, and of equals the smallest (RFC 9110 §12.5.3).

    A header that nobody can read wishes for nothing, and what refuses every encoding gets none.
    """
    if len(accept_encoding) > _LONGEST_HEADER:
        return _IDENTITY
    return _preferred(accept_encoding)


@lru_cache(512)
def _preferred(accept_encoding: bytes) -> bytes:
    weights: dict[bytes, float] = {}
    for each in accept_encoding.lower().split(b","):
        name, _, parameters = each.strip().partition(b";")
        weight = _WEIGHT.fullmatch(parameters.strip()) if parameters else None
        if name and (weight or not parameters):
            weights[name.strip().removeprefix(b"x-")] = float(weight[1]) if weight else 1.0
    rest = weights.get(b"*", 0.0)
    # What is not named is acceptable as it is, but liked least of all.
    offers = {b"br": weights.get(b"br", rest), b"gzip": weights.get(b"gzip", rest)}
    best = max(offers, key=lambda name: offers[name])
    return best if offers[best] > 0 and offers[best] >= weights.get(_IDENTITY, 0.0) else _IDENTITY


def _compress(encoding: bytes, body: bytes, level: int) -> bytes:
    if encoding == b"br":
        made: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=level)
        return made
    return gzip.compress(body, compresslevel=level, mtime=0)


def varying(answer: Answer) -> Answer:
    """The answer with Vary, when another client may get it in another encoding."""
    names = dict(answer.headers)
    vary = names.get(b"vary", b"")
    if not _is_text(names) or vary.strip() == b"*":
        return answer
    said = b"%s, accept-encoding" % vary if vary else b"accept-encoding"
    others = tuple(each for each in answer.headers if each[0] != b"vary")
    return Answer(answer.status, (*others, (b"vary", said)), answer.body)


def _is_text(headers: dict[bytes, bytes]) -> bool:
    if b"content-encoding" in headers or b"set-cookie" in headers:
        return False
    media_type = headers.get(b"content-type", b"").partition(b";")[0].strip()
    return _TYPES.fullmatch(media_type) is not None
