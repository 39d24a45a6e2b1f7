"""Log-ins at providers that are under way, and whom providers know people as. Platform transactions only."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth.domain.sso import Arrival, Assertion, Attempt
from auth.tables import IDENTITIES, SSO_ARRIVALS, SSO_ATTEMPTS
from servicekit.database import Transaction
from servicekit.purging import deletion, sweep

_hashed = sa.bindparam("hashed", type_=sa.LargeBinary)
_of_subject = sa.and_(
    IDENTITIES.c.realm == sa.bindparam("in_realm", type_=sa.Uuid),
    IDENTITIES.c.issuer == sa.bindparam("by_issuer", type_=sa.Text),
    IDENTITIES.c.subject == sa.bindparam("as_subject", type_=sa.Text),
)


_SWEEP_ATTEMPTS = deletion(
    SSO_ATTEMPTS, SSO_ATTEMPTS.c.expires_at <= sa.func.now(), oldest=SSO_ATTEMPTS.c.expires_at
)
_SWEEP_ARRIVALS = deletion(
    SSO_ARRIVALS, SSO_ARRIVALS.c.expires_at <= sa.func.now(), oldest=SSO_ARRIVALS.c.expires_at
)
_INSERT_ATTEMPT = sa.insert(SSO_ATTEMPTS)
_TAKE_ATTEMPT = (
    sa.delete(SSO_ATTEMPTS)
    .where(SSO_ATTEMPTS.c.state_hash == _hashed, SSO_ATTEMPTS.c.expires_at > sa.func.now())
    .returning(SSO_ATTEMPTS)
)
_INSERT_ARRIVAL = sa.insert(SSO_ARRIVALS)
_TAKE_ARRIVAL = (
    sa.delete(SSO_ARRIVALS)
    .where(SSO_ARRIVALS.c.code_hash == _hashed, SSO_ARRIVALS.c.expires_at > sa.func.now())
    .returning(SSO_ARRIVALS)
)
_FIND_IDENTITY = sa.select(IDENTITIES.c.user_id).where(_of_subject)
_FORGET_IDENTITIES_SINCE = (
    sa.delete(IDENTITIES)
    .where(
        IDENTITIES.c.user_id == sa.bindparam("user", type_=sa.Uuid),
        IDENTITIES.c.created_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    )
    .returning(IDENTITIES.c.issuer)
)
_INSERT_IDENTITY = insert(IDENTITIES).on_conflict_do_nothing()


async def insert_attempt(tx: Transaction, attempt: Attempt) -> None:
    """Keeps a log-in that begins. Sweeps a few that are over."""
    await sweep(tx, _SWEEP_ATTEMPTS)
    await tx.execute(_INSERT_ATTEMPT, asdict(attempt))


async def take_attempt(tx: Transaction, hashed: bytes) -> Attempt | None:
    """A log-in that was under way; it is no longer, whatever becomes of it."""
    row = (await tx.execute(_TAKE_ATTEMPT, {"hashed": hashed})).mappings().one_or_none()
    return Attempt(**row) if row else None


async def insert_arrival(tx: Transaction, arrival: Arrival) -> None:
    """Keeps somebody who came back. Sweeps a few that are over."""
    await sweep(tx, _SWEEP_ARRIVALS)
    values = asdict(arrival)
    await tx.execute(_INSERT_ARRIVAL, values | values.pop("assertion"))


async def take_arrival(tx: Transaction, hashed: bytes) -> Arrival | None:
    """Somebody who came back within the last minute; the code is used up."""
    row = (await tx.execute(_TAKE_ARRIVAL, {"hashed": hashed})).mappings().one_or_none()
    if row is None:
        return None
    assertion = Assertion(
        row["issuer"], row["subject"], row["email"], row["name"], row["groups"], row["second_factor"]
    )
    return Arrival(
        row["code_hash"],
        row["connection"],
        row["challenge"],
        assertion,
        row["expires_at"],
        row["provider"],
    )


async def find_identity(tx: Transaction, realm: UUID, assertion: Assertion) -> UUID | None:
    """Whom a provider means, in a realm."""
    values = {"in_realm": realm, "by_issuer": assertion.issuer, "as_subject": assertion.subject}
    found: UUID | None = (await tx.execute(_FIND_IDENTITY, values)).scalar_one_or_none()
    return found


async def insert_identity(tx: Transaction, realm: UUID, assertion: Assertion, user_id: UUID) -> None:
    """Keeps whom a provider means. What is known already stays."""
    values = {"realm": realm, "issuer": assertion.issuer, "subject": assertion.subject, "user_id": user_id}
    await tx.execute(_INSERT_IDENTITY, values)


async def forget_identities_since(tx: Transaction, user_id: UUID, since: datetime) -> list[str]:
    """Forgets whom providers have meant by this person from then on; answers the issuers."""
    found = await tx.execute(_FORGET_IDENTITIES_SINCE, {"user": user_id, "since": since})
    return sorted(found.scalars())
