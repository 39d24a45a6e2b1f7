"""Connections and their domains. A tenant's transaction sees its own; log-ins look in platform ones."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.connections import Connection, Domain, DomainOnOtherConnection, Provider, Rules
from auth.tables import CONNECTION_DOMAINS, CONNECTIONS, MEMBERSHIPS, USERS
from servicekit import database
from servicekit.database import Transaction
from servicekit.errors import Busy
from servicekit.permissions import OWNER

_organization = sa.bindparam("organization", type_=sa.Uuid)
_wanted = sa.bindparam("wanted", type_=sa.Uuid)
_one = sa.and_(CONNECTIONS.c.organization_id == _organization, CONNECTIONS.c.id == _wanted)
_domains_of_one = sa.and_(
    CONNECTION_DOMAINS.c.organization_id == _organization, CONNECTION_DOMAINS.c.connection_id == _wanted
)

_LIST = (
    sa.select(CONNECTIONS)
    .where(CONNECTIONS.c.organization_id == _organization)
    .order_by(CONNECTIONS.c.created_at, CONNECTIONS.c.id)
)
_LIST_DOMAINS = (
    sa.select(CONNECTION_DOMAINS)
    .where(CONNECTION_DOMAINS.c.organization_id == _organization)
    .order_by(CONNECTION_DOMAINS.c.domain)
)
_FIND = sa.select(CONNECTIONS.c.organization_id).where(CONNECTIONS.c.id == _wanted)
_INSERT = sa.insert(CONNECTIONS)
_DELETE = sa.delete(CONNECTIONS).where(_one)
_DELETE_DOMAINS = sa.delete(CONNECTION_DOMAINS).where(_domains_of_one)
_INSERT_DOMAIN = sa.insert(CONNECTION_DOMAINS)
_VERIFY = (
    sa.update(CONNECTION_DOMAINS)
    .where(_domains_of_one, CONNECTION_DOMAINS.c.domain == sa.bindparam("called", type_=sa.Text))
    .values(verified_at=sa.bindparam("seen_at", type_=CONNECTION_DOMAINS.c.verified_at.type))
)
_SAVE_LOOK = _VERIFY.values(
    missing_since=sa.bindparam("since", type_=CONNECTION_DOMAINS.c.missing_since.type),
    missed=sa.bindparam("times", type_=sa.SmallInteger),
)
_FIND_BY_DOMAIN = sa.select(CONNECTION_DOMAINS.c.connection_id).where(
    CONNECTION_DOMAINS.c.domain == sa.bindparam("called", type_=sa.Text),
    CONNECTION_DOMAINS.c.verified_at.is_not(None),
)
_REQUIRED = (
    sa.select(CONNECTIONS.c.id)
    .select_from(
        USERS.join(MEMBERSHIPS, MEMBERSHIPS.c.user_id == USERS.c.id)
        .join(CONNECTION_DOMAINS, CONNECTION_DOMAINS.c.organization_id == MEMBERSHIPS.c.organization_id)
        .join(
            CONNECTIONS,
            sa.and_(
                CONNECTIONS.c.organization_id == CONNECTION_DOMAINS.c.organization_id,
                CONNECTIONS.c.id == CONNECTION_DOMAINS.c.connection_id,
            ),
        )
    )
    .where(
        USERS.c.id == sa.bindparam("user", type_=sa.Uuid),
        CONNECTION_DOMAINS.c.domain == sa.func.split_part(USERS.c.email, "@", 2),
        CONNECTION_DOMAINS.c.verified_at.is_not(None),
        CONNECTIONS.c.required,
        MEMBERSHIPS.c.role != OWNER,
    )
)
_REQUIRED_IN = _REQUIRED.where(MEMBERSHIPS.c.organization_id == _organization)
_REQUIRING = _REQUIRED.with_only_columns(MEMBERSHIPS.c.organization_id).distinct()


async def list_connections(tx: Transaction, organization_id: UUID) -> list[Connection]:
    """Those of an organization, the oldest first."""
    values = {"organization": organization_id}
    domains = (await tx.execute(_LIST_DOMAINS, values)).all()
    return [
        _connection(
            row,
            tuple(
                Domain(each.domain, each.token, each.verified_at, each.missing_since, each.missed)
                for each in domains
                if each.connection_id == row["id"]
            ),
        )
        for row in (await tx.execute(_LIST, values)).mappings()
    ]


async def find_connection(tx: Transaction, connection_id: UUID) -> Connection | None:
    """A connection by its id alone, as browsers name it."""
    organization_id = (await tx.execute(_FIND, {"wanted": connection_id})).scalar_one_or_none()
    if organization_id is None:
        return None
    found = await list_connections(tx, organization_id)
    return next((each for each in found if each.id == connection_id), None)


async def insert_connection(tx: Transaction, connection: Connection) -> None:
    """Keeps a new connection with its domains.

    Raises:
        DomainOnOtherConnection: another one of the organization has one of them.
    """
    await tx.execute(_INSERT, _values(connection))
    await _insert_domains(tx, connection)


async def save_connection(tx: Transaction, connection: Connection) -> None:
    """Keeps a changed one. Raises as `insert_connection` does."""
    kept = sa.update(CONNECTIONS).where(
        CONNECTIONS.c.organization_id == connection.organization_id, CONNECTIONS.c.id == connection.id
    )
    await tx.execute(kept.values(_values(connection)))
    await tx.execute(_DELETE_DOMAINS, {"organization": connection.organization_id, "wanted": connection.id})
    await _insert_domains(tx, connection)


async def save_verified(tx: Transaction, connection: Connection, domain: Domain) -> bool:
    """Keeps that the record of a domain was seen. False when another organization has the domain.

    Raises:
        Busy: another one gets it at the same moment.
    """
    values = {
        "organization": connection.organization_id,
        "wanted": connection.id,
        "called": domain.name,
        "seen_at": domain.verified_at,
    }
    if (await tx.execute(_FIND_BY_DOMAIN, {"called": domain.name})).first() is not None:
        return False
    try:
        await tx.execute(_VERIFY, values)
    except IntegrityError as error:
        if database.constraint(error) == "connection_domains_verified":
            raise Busy from error
        raise
    return True


async def save_look(tx: Transaction, connection: Connection, domain: Domain) -> None:
    """Keeps what became of a verified domain whose record was looked for again."""
    values = {
        "organization": connection.organization_id,
        "wanted": connection.id,
        "called": domain.name,
        "seen_at": domain.verified_at,
        "since": domain.missing_since,
        "times": domain.missed,
    }
    await tx.execute(_SAVE_LOOK, values)


async def delete_connection(tx: Transaction, connection: Connection) -> None:
    """Forgets it and its domains."""
    await tx.execute(_DELETE, {"organization": connection.organization_id, "wanted": connection.id})


async def find_by_domain(tx: Transaction, domain: str) -> UUID | None:
    """The connection that speaks for a domain."""
    found: UUID | None = (await tx.execute(_FIND_BY_DOMAIN, {"called": domain})).scalar_one_or_none()
    return found


async def find_required(tx: Transaction, user_id: UUID) -> UUID | None:
    """The connection that a person must log in by. Owners must not."""
    found: UUID | None = (await tx.execute(_REQUIRED, {"user": user_id})).scalars().first()
    return found


async def find_required_in(tx: Transaction, organization_id: UUID, user_id: UUID) -> UUID | None:
    """The same, in one organization."""
    values = {"user": user_id, "organization": organization_id}
    found: UUID | None = (await tx.execute(_REQUIRED_IN, values)).scalars().first()
    return found


async def list_requiring(tx: Transaction, user_id: UUID) -> set[UUID]:
    """The organizations that a person must be in by their connections alone."""
    return set((await tx.execute(_REQUIRING, {"user": user_id})).scalars())


async def _insert_domains(tx: Transaction, connection: Connection) -> None:
    for domain in connection.domains:
        values = {
            "organization_id": connection.organization_id,
            "connection_id": connection.id,
            "domain": domain.name,
            "token": domain.token,
            "verified_at": domain.verified_at,
            "missing_since": domain.missing_since,
            "missed": domain.missed,
        }
        try:
            await tx.execute(_INSERT_DOMAIN, values)
        except IntegrityError as error:
            if database.constraint(error) == "connection_domains_pkey":
                raise DomainOnOtherConnection from error
            raise


def _values(connection: Connection) -> dict[str, Any]:
    return {
        "organization_id": connection.organization_id,
        "id": connection.id,
        "name": connection.provider.name,
        "issuer": connection.provider.issuer,
        "client_id": connection.provider.client_id,
        "sealed_secret": connection.sealed_secret,
        "default_role": connection.rules.default_role,
        "role_claim": connection.rules.role_claim,
        "role_mappings": [list(each) for each in connection.rules.roles],
        "required": connection.rules.required,
        "provides_second_factor": connection.rules.provides_second_factor,
    }


def _connection(row: sa.RowMapping, domains: tuple[Domain, ...]) -> Connection:
    return Connection(
        row["organization_id"],
        row["id"],
        Provider(row["name"], row["issuer"], row["client_id"]),
        Rules(
            row["default_role"],
            row["role_claim"],
            tuple((value, role) for value, role in row["role_mappings"]),
            required=row["required"],
            provides_second_factor=row["provides_second_factor"],
        ),
        row["sealed_secret"],
        domains,
    )
