"""Puts a request message together from path, query and body. Checks shape; the services check rules."""

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from gateway.patches import masking
from gateway.queries import named
from gateway.routes import EVERYTHING, Route
from gateway.transcoding import documents, is_text, reader
from servicekit.errors import InvalidRequest, Violation


class RequestReader:
    """Reads the requests of one route."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._make: Callable[[], Message] = route.rpc.request
        self._path = route.path_parameters()
        self._query = {each.name: each for each in route.query_parameters()}
        self._body_field = "" if route.body == EVERYTHING else route.body
        self._read_body = reader(route.body_message, route.outside_body) if route.body else None
        self._mask = masking(route)

    def read(self, variables: Sequence[str], query: bytes, body: bytes) -> Message:
        """The request. An empty body counts as {}; one that the route does not have is ignored.

        Raises:
            MalformedRequest: the query is not percent-encoded UTF-8.
            MalformedJson: the body is not JSON.
            InvalidRequest: something does not fit the contract.
        """
        message = self._make()
        violations: list[Violation] = []
        if self._read_body is not None:
            target: Any = getattr(message, self._body_field) if self._body_field else message
            value = documents.load(body) if body else {}
            self._read_body(target, value, "", violations)
            if self._mask is not None:
                self._mask(message, value, violations)
        for name, texts in named(query).items():
            parameter = self._query.get(name)
            if parameter is None:
                violations.append(Violation("", "has a query parameter that is not known"))
            else:
                parameter.read(message, texts, violations)
        for parameter, text in zip(self._path, variables, strict=True):
            parameter.read(message, (text,), violations)
        if violations:
            raise InvalidRequest(violations=violations)
        return message

    def pointer(self, pointer: str) -> str:
        """A service's pointer into the message as a pointer into what the client sent."""
        tokens = pointer.split("/")
        descriptor = self._route.request
        for depth, token in enumerate(tokens[1:], start=2):
            field = descriptor.fields_by_name.get(token)
            if field is None or field.message_type is None:
                continue  # an index, or the last token
            if is_text(field) and not field.is_repeated:
                tokens = tokens[:depth]
                break
            descriptor = field.message_type
        shown = "/".join(tokens)
        return shown.removeprefix(f"/{self._body_field}") if self._body_field else shown
