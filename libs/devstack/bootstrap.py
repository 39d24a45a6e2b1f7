"""Makes `.venv` from the hashed lock with Python's own library; installs nothing unpinned."""  # noqa: INP001

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / ".comptoir-lock"


def main() -> None:
    """Does nothing when the environment was made from this lock for these workspace members."""
    wanted = _fingerprint()
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted and _works():
        return
    if not _works():
        _make_venv()
    _say("Installing packages from requirements.lock …")
    _install_packages()
    _link_workspace()
    STAMP.write_text(wanted, encoding="utf-8")


def _fingerprint() -> str:
    members = "\n".join(map(str, _source_roots()))
    return hashlib.sha256(LOCK.read_bytes() + members.encode()).hexdigest()


def _works() -> bool:
    """Whether .venv has a running Python that is new enough, and pip."""
    probe = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    return PYTHON.exists() and _run(PYTHON, "-c", probe, quiet=True) == 0


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships Python without it
        import venv  # noqa: F401, PLC0415 - same
    except ImportError:
        sys.exit(
            f"{sys.executable} has no venv or ensurepip module. "
            "On Debian and Ubuntu: apt install python3-venv; then run make again."
        )
    _say("Making .venv …")
    if _run(sys.executable, "-m", "venv", "--clear", VENV):
        sys.exit(f"{sys.executable} could not make a virtual environment in {VENV}")


def _install_packages() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirement:
        requirement.write(_pinned_requirement("uv"))
        requirement.flush()
        if _pip_install("--no-deps", "-r", requirement.name):
            sys.exit("pip could not install uv; see above")
    # --system-certs: whom the machine trusts, as pip does; companies have certificates of their own.
    options = ("--quiet", "--system-certs", "--require-hashes", "--python", PYTHON)
    if _run(VENV / "bin" / "uv", "pip", "sync", *options, LOCK):
        _say("uv did not install the packages; trying pip, which takes longer …")
        if _pip_install("-r", LOCK):
            sys.exit("the packages could not be installed; see above")


def _pip_install(*arguments: str | Path) -> int:
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes")
    return _run(PYTHON, "-m", "pip", "install", *options, *arguments)


def _pinned_requirement(name: str) -> str:
    """The lock's lines for one package, hashes included."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next(number for number in range(start, len(lines)) if not lines[number].endswith("\\"))
    return "\n".join(lines[start : end + 1]) + "\n"


def _link_workspace() -> None:
    """A .pth file is enough: the members are run from their sources."""
    packages = next(VENV.glob("lib/python3.*/site-packages"))
    roots = "".join(f"{root}\n" for root in _source_roots())
    (packages / "comptoir-workspace.pth").write_text(roots, encoding="utf-8")


def _source_roots() -> list[Path]:
    members = [*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")]
    return [*sorted(path.parent for path in members), ROOT / "gateway", ROOT]


def _run(program: str | Path, *arguments: str | Path, quiet: bool = False) -> int:
    """The exit code; 126 when the system cannot execute the program."""
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    output = subprocess.DEVNULL if quiet else None
    command = [str(word) for word in (program, *arguments)]
    try:
        return subprocess.run(command, env=environment, stdout=output, stderr=output, check=False).returncode  # noqa: S603
    except OSError as error:
        _say(f"{program}: {error.strerror}")
        return 126


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
