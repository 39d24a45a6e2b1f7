"""Reading again: the strong ETag of an answer, and If-None-Match (RFC 9110 §8.8.3 and §13.1.2)."""

import re
from hashlib import blake2b

from gateway.http import Answer, Header

_VERSION = re.compile(rb'"([1-9][0-9]{0,8})"')
_TAG = re.compile(rb'(?:W/)?"([!\x23-\x7e\x80-\xff]*)"')
_ENCODED = re.compile(rb"-(?:br|gzip)$")
_OF_CONTENT = frozenset({b"content-type", b"content-encoding", b"content-length", b"content-disposition"})
_DIGEST_BYTES = 12
_NOT_MODIFIED = 304


def tag(answer: Answer) -> Answer:
    """The answer with an ETag that changes with every byte of it.

    Where the answer has a version, the tag begins with it: `"7-…"`. The version alone would not do: what is
    shown beside it, and how, changes without it. A tag that is not of a version is left as it is.
    """
    given = _etag(answer)
    digest = blake2b(answer.body, digest_size=_DIGEST_BYTES).hexdigest().encode()
    if given is None:
        return Answer(answer.status, (*answer.headers, (b"etag", b'"%s"' % digest)), answer.body)
    version = _VERSION.fullmatch(given)
    if version is None:
        return answer
    return _with_etag(answer, b'"%s-%s"' % (version[1], digest))


def revalidate(answer: Answer, if_none_match: bytes) -> Answer | None:
    """304 when the client has this answer already, in whatever encoding; None when it has not.

    The comparison is weak, and the tag that matched is answered: it names the copy that the client may go on
    with (RFC 9111 §4.3.4).
    """
    current = _etag(answer)
    if current is None:
        return None
    if if_none_match.strip() == b"*":
        return _not_modified(answer)
    wanted = _opaque(current)
    for found in _TAG.finditer(if_none_match):
        if _ENCODED.sub(b"", found[1]) == wanted:
            return _not_modified(_with_etag(answer, found[0]))
    return None


def encoded(answer: Answer, encoding: bytes, body: bytes) -> Answer:
    """The answer with its body encoded. A strong tag names one sequence of bytes, so this one has another."""
    current = _etag(answer)
    if current is not None and not current.startswith(b"W/"):
        answer = _with_etag(answer, b'"%s-%s"' % (_opaque(current), encoding))
    return Answer(answer.status, (*answer.headers, (b"content-encoding", encoding)), body)


def _not_modified(answer: Answer) -> Answer:
    return Answer(_NOT_MODIFIED, tuple(each for each in answer.headers if each[0] not in _OF_CONTENT))


def _etag(answer: Answer) -> bytes | None:
    return next((value for name, value in answer.headers if name == b"etag"), None)


def _with_etag(answer: Answer, etag: bytes) -> Answer:
    headers: tuple[Header, ...] = tuple(each for each in answer.headers if each[0] != b"etag")
    return Answer(answer.status, (*headers, (b"etag", etag)), answer.body)


def _opaque(etag: bytes) -> bytes:
    return etag.removeprefix(b"W/")[1:-1]
