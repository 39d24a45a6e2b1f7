"""Versions of what a route answers and changes, as ETag and If-Match. Knows fields by name only."""

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.errors import PreconditionNotSupported, PreconditionRequired
from gateway.http import Header
from gateway.routes import Route

EXPECTED = "expected_version"
"""The field of a request that If-Match fills."""
_VERSION = "version"
_NUMBERS = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64)
_NEVER = 2**31 - 1
_TAG = re.compile(rb'"([1-9][0-9]{0,8})(?:-[0-9a-f]{24}(?:-br|-gzip)?)?"')
"""The version, and behind it what `conditional` adds to tags of answers that were read."""


class Versions:
    """The versions of one route's requests and answers."""

    def __init__(self, route: Route) -> None:
        self._expects = expects(route)
        self._required = route.policy.precondition_required
        self._changes = route.method != "GET"
        self._tagged, self._holder = _holder(route.response)

    def expect(self, message: Any, if_match: bytes | None) -> None:
        """Puts the version that the caller has read into the request (RFC 9110 §13.1.1).

        A weak tag, several, or one that is none of ours become a version that nothing has: the service
        refuses it, after all else that it refuses (§13.2.1). `*` is whatever there is. Reads take no
        notice of the header.

        Raises:
            PreconditionRequired: the route wants a version, and neither header nor body has one.
            PreconditionNotSupported: the route would change something whatever its version, and was told one.
        """
        if if_match is None:
            if self._required and not getattr(message, EXPECTED):
                raise PreconditionRequired(metadata={"header": "If-Match"})
            return
        if if_match.strip() == b"*":
            return
        if not self._expects:
            if self._changes:
                raise PreconditionNotSupported(metadata={"header": "If-Match"})
            return
        tag = _TAG.fullmatch(if_match.strip())
        setattr(message, EXPECTED, int(tag[1]) if tag else _NEVER)

    def tag(self, shown: Any) -> list[Header]:
        """The ETag of an answer (RFC 9110 §8.8.3); none for what has no version."""
        if not self._tagged:
            return []
        holder = getattr(shown, self._holder) if self._holder else shown
        version = getattr(holder, _VERSION)
        return [(b"etag", b'"%d"' % version)] if version else []


def expects(route: Route) -> bool:
    """Whether a route compares If-Match with a version. Others that change something refuse every tag."""
    return EXPECTED in route.request.fields_by_name


def tagged(route: Route) -> bool:
    """Whether a route answers with an ETag that has a version."""
    return versioned(route) is not None


def versioned(route: Route) -> Descriptor | None:
    """The thing whose version a route answers with; None where it answers with none."""
    found, holder = _holder(route.response)
    if not found:
        return None
    return route.response.fields_by_name[holder].message_type if holder else route.response


def _holder(answer: Descriptor) -> tuple[bool, str]:
    """Whether an answer has a version, and the field that holds it: none for the answer itself."""
    if _has_version(answer):
        return True, ""
    holders = [
        field.name
        for field in answer.fields
        if field.message_type is not None and not field.is_repeated and _has_version(field.message_type)
    ]
    return (True, holders[0]) if len(holders) == 1 else (False, "")


def _has_version(descriptor: Descriptor) -> bool:
    field = descriptor.fields_by_name.get(_VERSION)
    return field is not None and field.type in _NUMBERS and not field.is_repeated
