"""What providers send, in the forms that they are known to send it in, made what the models take."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from scim2_models import InvalidFilterException, InvalidPathException, InvalidSyntaxException, SCIMException

MOST_OPERATIONS = 100
"""In one PATCH."""
MOST_STEPS = 10
"""In one PATCH of a group, beside those that add or remove members by their ids."""
_LONGEST_FILTER = 2000
_DEEPEST = 20
_KNOWN = ("schemas", "userName", "displayName", "active", "externalId", "members")
_URN = "urn:ietf:params:scim:schemas:core:2.0:user:"
_ONE_MEMBER = re.compile(r'members\[\s*value\s+eq\s+"([0-9a-z_]{1,40})"\s*\]', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MemberStep:
    """Members who come or go, by their ids."""

    adds: bool
    ids: tuple[str, ...]


class TooManyOperations(SCIMException):
    """A PATCH has more operations than one request may have."""

    status = 413
    _default_detail = (
        f"one PATCH may have {MOST_OPERATIONS} operations, {MOST_STEPS} of them of a group itself"
    )


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        InvalidSyntaxException: it is none.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = None
    if not isinstance(payload, dict):
        raise InvalidSyntaxException(detail="the body must be one JSON object in UTF-8")
    return payload


def whole_user(payload: Mapping[str, Any], *, active: bool) -> dict[str, Any]:
    """A user of a POST or PUT: what we keep of it, with what may be left out.

    Without displayName they are called by name, else by what stands before the @ of userName; who says
    nothing of `active` leaves it as it is.
    """
    sent = {name.lower(): value for name, value in payload.items()}
    known = {name: sent[name.lower()] for name in _KNOWN if sent.get(name.lower()) is not None}
    if "displayName" not in known:
        known["displayName"] = _called(sent.get("name")) or str(known.get("userName", "")).partition("@")[0]
    return {"active": active} | known


def whole_group(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A group of a POST or PUT: what we keep of it."""
    sent = {name.lower(): value for name, value in payload.items()}
    return {name: sent[name.lower()] for name in _KNOWN if sent.get(name.lower()) is not None}


def operations(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """A PATCH without what it says of addresses beside userName, which they follow; None if that was all.

    Raises:
        TooManyOperations: there are too many.
        InvalidPathException: a path is too long or too deep.
    """
    name = next((each for each in payload if each.lower() == "operations"), "Operations")
    listed = payload.get(name)
    if not isinstance(listed, list):
        return dict(payload)
    if len(listed) > MOST_OPERATIONS:
        raise TooManyOperations
    kept = [each for each in listed if not (isinstance(each, dict) and _of_emails(each))]
    if listed and not kept:
        return None
    return {**payload, name: [_without_emails(each) for each in kept]}


def steps(payload: Mapping[str, Any]) -> list[dict[str, Any] | MemberStep]:
    """A PATCH of a group, with what it says of members by their ids apart: that can be long.

    Raises:
        TooManyOperations: there is too much else, each as dear as the group is large.
    """
    name = next((each for each in payload if each.lower() == "operations"), "Operations")
    listed = payload.get(name)
    if not isinstance(listed, list) or not listed:
        return [dict(payload)]
    found = [_member_step(each) or {**payload, name: [each]} for each in listed]
    if sum(isinstance(each, dict) for each in found) > MOST_STEPS:
        raise TooManyOperations
    return found


def _member_step(operation: Any) -> MemberStep | None:
    """An operation that adds or removes members by their ids; None for any other."""
    if not isinstance(operation, dict) or set(operation) - {"op", "path", "value"}:
        return None
    op, path, value = (operation.get(each) for each in ("op", "path", "value"))
    op = op.lower() if isinstance(op, str) else ""
    if op not in ("add", "remove") or not isinstance(path, str):
        return None
    one = _ONE_MEMBER.fullmatch(path)
    if one and op == "remove" and value is None:
        return MemberStep(adds=False, ids=(one[1],))
    if path.lower() != "members" or not isinstance(value, list) or not value:
        return None
    named = [each.get("value") if isinstance(each, dict) else None for each in value]
    ids = tuple(each for each in named if isinstance(each, str))
    return MemberStep(op == "add", ids) if len(ids) == len(value) else None


def plain_filter(text: str) -> str:
    """A filter that does not take long to read.

    Raises:
        InvalidFilterException: it is too long or too deep.
    """
    if not _is_plain(text):
        raise InvalidFilterException(detail="the filter is too long or too deep")
    return text


def _of_emails(operation: Mapping[str, Any]) -> bool:
    path = operation.get("path")
    if not isinstance(path, str):
        return False
    if not _is_plain(path):
        raise InvalidPathException(detail="a path is too long or too deep")
    return _is_emails(path)


def _without_emails(operation: Any) -> Any:
    if (
        not isinstance(operation, dict)
        or operation.get("path")
        or not isinstance(operation.get("value"), dict)
    ):
        return operation
    value = {name: each for name, each in operation["value"].items() if not _is_emails(name)}
    return {**operation, "value": value}


def _is_emails(path: str) -> bool:
    name = path.lower().removeprefix(_URN)
    return name.startswith("emails") and not name[6:7].isalnum()


def _is_plain(text: str) -> bool:
    brackets = text.count("(") + text.count("[")
    return len(text) <= _LONGEST_FILTER and brackets <= _DEEPEST


def _called(name: Any) -> str:
    if not isinstance(name, dict):
        return ""
    parts = {key.lower(): value.strip() for key, value in name.items() if isinstance(value, str)}
    both = f"{parts.get('givenname', '')} {parts.get('familyname', '')}".strip()
    return parts.get("formatted", "") or both
