"""`make generate`: writes everything that is generated and committed. `protos` writes the packages alone."""

import sys

from tools.codegen import protos

if __name__ == "__main__":
    protos.update()
    if sys.argv[1:] != ["protos"]:
        from tools.codegen.documents import DOCUMENTS  # needs the packages that were just written

        for path, render in DOCUMENTS.items():
            target = protos.ROOT / path
            target.parent.mkdir(exist_ok=True)
            target.write_text(render(), encoding="utf-8")
