"""`python -m tools.codegen.openapi`: writes docs/openapi.json, the HTTP face of the contract."""

import json
from pathlib import Path

from gateway.openapi import document
from gateway.routes import routes

TARGET = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def render() -> str:
    """The document as it is committed. The same contract always renders the same."""
    return json.dumps(document(routes()), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
