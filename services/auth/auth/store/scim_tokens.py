"""SCIM tokens. A tenant's transaction sees its own; knowing only a short id is a platform one."""

from dataclasses import asdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.scim_tokens import ScimToken, ScimTokenExists
from auth.tables import SCIM_TOKENS
from servicekit import database
from servicekit.database import Transaction

_MOMENT = sa.DateTime(timezone=True)
_of_connection = sa.and_(
    SCIM_TOKENS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    SCIM_TOKENS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid),
)
_INSERT = sa.insert(SCIM_TOKENS)
_FIND = sa.select(SCIM_TOKENS).where(_of_connection)
_LOCK = _FIND.with_for_update()
_FIND_BY_SHORT_ID = sa.select(SCIM_TOKENS).where(
    SCIM_TOKENS.c.short_id == sa.bindparam("short", type_=sa.Text)
)
_SAVE = (
    sa.update(SCIM_TOKENS)
    .where(_of_connection)
    .values(
        secret_hash=sa.bindparam("hash", type_=sa.LargeBinary),
        previous_hash=sa.bindparam("hash_before", type_=sa.LargeBinary),
        previous_until=sa.bindparam("until", type_=_MOMENT),
    )
)
_DELETE = sa.delete(SCIM_TOKENS).where(_of_connection)
# Waits for nobody: what another transaction holds is noted the next time.
_NOTE_USE = (
    sa.update(SCIM_TOKENS)
    .where(
        SCIM_TOKENS.c.short_id.in_(
            sa.select(SCIM_TOKENS.c.short_id)
            .where(
                _of_connection,
                sa.or_(
                    SCIM_TOKENS.c.last_used_at.is_(None),
                    SCIM_TOKENS.c.last_used_at <= sa.func.now() - sa.text("interval '1 minute'"),
                ),
            )
            .with_for_update(skip_locked=True)
        )
    )
    .values(last_used_at=sa.func.now())
)


async def insert_token(tx: Transaction, token: ScimToken) -> None:
    """Keeps the token of a connection.

    Raises:
        ScimTokenExists: it has one.
    """
    try:
        await tx.execute(_INSERT, asdict(token))
    except IntegrityError as error:
        if database.constraint(error) == "scim_tokens_pkey":
            raise ScimTokenExists from error
        raise


async def find_token(tx: Transaction, organization_id: UUID, connection_id: UUID) -> ScimToken | None:
    """The token of a connection."""
    row = (await tx.execute(_FIND, _keys(organization_id, connection_id))).mappings().one_or_none()
    return ScimToken(**row) if row else None


async def lock_token(tx: Transaction, organization_id: UUID, connection_id: UUID) -> ScimToken | None:
    """The same, which nobody else changes until the end of `tx`."""
    row = (await tx.execute(_LOCK, _keys(organization_id, connection_id))).mappings().one_or_none()
    return ScimToken(**row) if row else None


async def find_token_of(tx: Transaction, short_id: str) -> ScimToken | None:
    """The token of a short id. Platform transactions only."""
    row = (await tx.execute(_FIND_BY_SHORT_ID, {"short": short_id})).mappings().one_or_none()
    return ScimToken(**row) if row else None


async def save_token(tx: Transaction, token: ScimToken) -> None:
    """Keeps the new secrets of a locked token."""
    secrets = {"hash": token.secret_hash, "hash_before": token.previous_hash, "until": token.previous_until}
    await tx.execute(_SAVE, _keys(token.organization_id, token.connection_id) | secrets)


async def delete_token(tx: Transaction, token: ScimToken) -> None:
    """Forgets a token: it holds no more."""
    await tx.execute(_DELETE, _keys(token.organization_id, token.connection_id))


async def note_use(tx: Transaction, token: ScimToken) -> None:
    """Keeps that a token was used now, at most once a minute, without waiting for anybody."""
    await tx.execute(_NOTE_USE, _keys(token.organization_id, token.connection_id))


def _keys(organization_id: UUID, connection_id: UUID) -> dict[str, object]:
    return {"organization": organization_id, "connection": connection_id}
