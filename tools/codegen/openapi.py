"""The HTTP face of the contract, with the reasons that every refusal may have."""

import json
from importlib import import_module
from typing import Any

from gateway.openapi import Reason, document
from gateway.routes import routes
from servicekit import errors
from servicekit.contract import CONTEXTS


def made() -> dict[str, Any]:
    """The document. The same contract and the same code always give the same."""
    for context in CONTEXTS:
        import_module(f"{context}.__main__")
    import_module("gateway.errors")
    import_module("gateway.live.errors")
    known = [Reason(each.kind.http_status, each.reason, each.detail) for each in errors.catalogue()]
    return document(routes(), known)


def render() -> str:
    """docs/openapi.json, for people and their tools."""
    return json.dumps(made(), indent=2, ensure_ascii=False) + "\n"


def render_shipped() -> str:
    """What the gateway serves."""
    return json.dumps(made(), separators=(",", ":"), ensure_ascii=False) + "\n"
