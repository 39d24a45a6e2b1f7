"""One table of paths: a tree by segment, so that a lookup does not depend on the number of routes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.errors import MalformedRequest, MethodNotAllowed, RouteNotFound

T = TypeVar("T")

_VARIABLE = re.compile(r"\{[a-z][a-z0-9_.]*\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class RouteTwice(ValueError):
    """Two routes have the same method and path. Raised at start."""


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, "_Node[T]"] = field(default_factory=dict)
    variable: "_Node[T] | None" = None
    targets: dict[str, T] = field(default_factory=dict)


class Table(Generic[T]):
    """Method and path → target and the values of the path's variables, in the template's order."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, target: T) -> None:
        """Adds a route like "/v1/venues/{venue_id}". A GET is a HEAD too.

        Raises:
            RouteTwice: the route is taken.
            ValueError: the template has a segment that is neither a literal nor one whole variable.
        """
        node = self._root
        for segment in template.split("/")[1:]:
            if _VARIABLE.fullmatch(segment):
                node.variable = node.variable or _Node()
                node = node.variable
            elif _LITERAL.fullmatch(segment) or template == "/":
                node = node.literals.setdefault(segment, _Node())
            else:
                message = f"{template}: not supported in a path template"
                raise ValueError(message)
        for each in (method, "HEAD") if method == "GET" else (method,):
            if each in node.targets:
                message = f"{each} {template}"
                raise RouteTwice(message)
            node.targets[each] = target

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """Method and target of every route."""
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            yield from node.targets.items()
            waiting += [*node.literals.values(), *([node.variable] if node.variable else [])]

    def find(self, method: str, path: bytes) -> tuple[T, tuple[str, ...]]:
        """The target of a percent-encoded path. A literal goes before a variable.

        Raises:
            MalformedRequest: the path is not percent-encoded UTF-8.
            RouteNotFound: no route has this path.
            MethodNotAllowed: some have, but not with this method.
        """
        found = self._match(path)
        for node, variables in found:
            if method in node.targets:
                return node.targets[method], variables
        raise MethodNotAllowed(_allow(found))

    def _match(self, path: bytes) -> list[tuple[_Node[T], tuple[str, ...]]]:
        reached: list[tuple[_Node[T], tuple[str, ...]]] = [(self._root, ())]
        for segment in _segments(path):
            following: list[tuple[_Node[T], tuple[str, ...]]] = []
            for node, variables in reached:
                literal = node.literals.get(segment)
                if literal is not None:
                    following.append((literal, variables))
                if node.variable is not None and segment:
                    following.append((node.variable, (*variables, segment)))
            reached = following
        found = [(node, variables) for node, variables in reached if node.targets]
        if not found:
            raise RouteNotFound
        return found


def decode(text: bytes) -> str:
    """The text behind percent-encoding (RFC 3986 §2.1).

    Raises:
        MalformedRequest: it is not percent-encoded UTF-8.
    """
    if b"%" in text:
        if _BROKEN_ESCAPE.search(text):
            raise MalformedRequest
        text = unquote_to_bytes(text)
    elif not text.isascii():
        raise MalformedRequest
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise MalformedRequest from None


def _segments(path: bytes) -> list[str]:
    if b"%" not in path:
        return decode(path).split("/")[1:]
    return [decode(segment) for segment in path.split(b"/")[1:]]


def _allow(found: list[tuple[_Node[T], tuple[str, ...]]]) -> str:
    return ", ".join(sorted({"OPTIONS"}.union(*(node.targets for node, _ in found))))
