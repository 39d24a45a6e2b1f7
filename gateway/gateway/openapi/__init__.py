"""The OpenAPI 3.1 document, made from the contract: routes, messages, rules, events and comments."""

from importlib.resources import files

from gateway.openapi.by_hand import OPERATIONS
from gateway.openapi.document import document
from gateway.openapi.refusals import Reason

__all__ = ["OPERATIONS", "Reason", "document", "shipped"]


def shipped() -> bytes:
    """The document as `make generate` wrote it: making it costs half a second, which no start has to pay."""
    return files(__name__).joinpath("openapi.json").read_bytes()
