"""The HTTP face of the contract, with the reasons that every refusal may have."""

import json
from typing import Any

from gateway.openapi import Reason, document
from gateway.routes import routes
from tools.codegen import reasons


def made() -> dict[str, Any]:
    """The document. The same contract and the same code always give the same."""
    known = [Reason(each.kind.http_status, each.reason, each.detail) for each in reasons.catalogue()]
    return document(routes(), known)


def render() -> str:
    """docs/openapi.json, for people and their tools."""
    return json.dumps(made(), indent=2, ensure_ascii=False) + "\n"


def render_shipped() -> str:
    """What the gateway serves."""
    return json.dumps(made(), separators=(",", ":"), ensure_ascii=False) + "\n"
