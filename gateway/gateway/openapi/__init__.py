"""The OpenAPI 3.1 document, made from the contract alone: routes, messages, rules and comments."""

from gateway.openapi.document import document

__all__ = ["document"]
