"""`make clients`: builds both clients into dist/clients, or into the folder that is named."""

import sys
from pathlib import Path

from tools.checks.sources import ROOT
from tools.clients.build import build, read_api

TARGET = ROOT / "dist" / "clients"


def main(target: Path) -> None:
    """Says how much there is."""
    api = read_api()
    build(target, api)
    print(
        f"{len(api.operations)} operations and {len(api.models)} models, for Python and TypeScript: {target}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
