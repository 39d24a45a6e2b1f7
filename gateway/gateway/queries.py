"""Queries. Routes by hand refuse unknown names: nobody puts an access token into an address."""

from collections.abc import Collection

from gateway.dispatch import decode
from servicekit.errors import InvalidRequest, Violation


def named(query: bytes) -> dict[str, list[str]]:
    """Names and their values (application/x-www-form-urlencoded).

    Raises:
        MalformedRequest: the query is not percent-encoded UTF-8.
    """
    found: dict[str, list[str]] = {}
    for pair in query.split(b"&") if query else ():
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            found.setdefault(decode(name), []).append(decode(value))
    return found


def parameters(query: bytes, known: Collection[str] = ()) -> dict[str, list[str]]:
    """Names and their values, as `named` reads them.

    Raises:
        MalformedRequest: the query is not percent-encoded UTF-8.
        InvalidRequest: it has a name that is not known.
    """
    found = named(query)
    if not found.keys() <= set(known):
        raise InvalidRequest(violations=(Violation("", "has a query parameter that is not known"),))
    return found
