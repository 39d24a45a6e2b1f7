"""One database and three roles per service, on any PostgreSQL. The statements live in `roles.sql` alone."""

from pathlib import Path

from devstack.psql import run_sql

_ROLES = Path(__file__).with_name("roles.sql")


def create_service_database(
    server_url: str,
    service: str,
    *,
    owner_password: str,
    app_password: str,
    database: str | None = None,
) -> None:
    """Makes or corrects the database and the roles `<service>_owner`, `<service>_app`, `<service>_platform`.

    `server_url` is a superuser's; the database is named as the service unless told.

    Raises:
        PsqlFailed: the server is away or refused.
    """
    variables = {
        "SERVICE": service,
        "DATABASE": database or service,
        "OWNER_PASSWORD": owner_password,
        "APP_PASSWORD": app_password,
    }
    run_sql(server_url, _ROLES.read_text(), variables)
