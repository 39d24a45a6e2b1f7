"""Programs that only npm has, fetched once by their lock file, for tests alone. Node 20 or later."""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

_FETCH_SECONDS = 100


def fetched(source: Path, name: str) -> Path:
    """A folder with the packages of the lock file in `source`, kept in .comptoir/`name` for the next time."""
    lock = (source / "package-lock.json").read_bytes()
    folder = Path(__file__).parents[3] / ".comptoir" / name
    kept = folder / hashlib.sha256(lock).hexdigest()[:16]
    if kept.exists():
        return kept
    npm = program("npm")
    folder.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder))
    for file in ("package.json", "package-lock.json"):
        shutil.copy(source / file, making)
    fetch = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(  # noqa: S603  # npm, which is on the PATH
        fetch, cwd=making, check=True, capture_output=True, timeout=_FETCH_SECONDS
    )
    try:
        making.rename(kept)
    except OSError:
        shutil.rmtree(making)  # another process of the suite was faster
    return kept


def program(name: str) -> str:
    """The path of node or npm. Raises FileNotFoundError."""
    found = shutil.which(name)
    if found is None:
        message = f"these tests need node 20 or later and npm, but there is no {name}: see CONTRIBUTING"
        raise FileNotFoundError(message)
    return found
