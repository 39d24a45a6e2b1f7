"""Type-checks and compiles TypeScript with the real compiler, strictly, for tests alone."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from testkit import npm

SOURCE = Path(__file__).parent / "typescript_compiler"
_SECONDS = 100


class Refused(Exception):
    """The compiler found something; its words are the text."""


def compile_package(package: Path) -> None:
    """Makes `package`/dist as the package's own tsconfig.json says. Raises Refused."""
    _compile(package)


def compile_program(program: Path, package: Path, folder: Path) -> Path:
    """The JavaScript of a program that imports `package` by its name, compiled in `folder` as strictly as it.

    Raises:
        Refused: the compiler found something.
    """
    named = json.loads((package / "package.json").read_text(encoding="utf-8"))["name"]
    (folder / "node_modules").mkdir(parents=True)
    (folder / "node_modules" / named).symlink_to(package)
    shutil.copy(program, folder)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    options = {"rootDir": ".", "outDir": "dist", "declaration": False}
    strictly = {"extends": str(package / "tsconfig.json"), "compilerOptions": options, "include": ["*.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(strictly), encoding="utf-8")
    _compile(folder)
    return folder / "dist" / f"{program.stem}.js"


def run(script: Path, environment: Mapping[str, str]) -> str:
    """What a program prints. Raises Refused with its complaint when it fails."""
    done = subprocess.run(  # noqa: S603  # node, which is on the PATH
        [npm.program("node"), str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def _compile(folder: Path) -> None:
    compiler = npm.fetched(SOURCE, "typescript") / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(  # noqa: S603  # node, which is on the PATH
        [npm.program("node"), str(compiler), "--project", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
