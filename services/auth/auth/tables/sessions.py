"""Who is logged in where: one row a session, no row a token."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from auth.tables.schema import METADATA, MOMENT, NOW

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("last_used_at", MOMENT, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("methods", ARRAY(sa.Text, as_tuple=True), nullable=False, server_default="{pwd}"),
    sa.Column("authenticated_at", MOMENT, nullable=False, server_default=NOW),
    sa.Column("device", sa.Text, nullable=False, server_default=""),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("ended_at", MOMENT),
    sa.Column("end_reason", sa.Text),
    # No reference: a session outlives its connection for as long as it takes to end it.
    sa.Column("connection_id", sa.Uuid),
    sa.Column("stepped_at", MOMENT),
    sa.Column("forgiven", sa.BigInteger, nullable=False, server_default="0"),
    # Whoever leaves an organization loses the sessions there.
    sa.ForeignKeyConstraint(
        ["organization_id", "user_id"],
        ["memberships.organization_id", "memberships.user_id"],
        name="sessions_of_membership",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("octet_length(salt) = 32", name="sessions_salted"),
    sa.CheckConstraint("counter >= 0", name="sessions_counter_positive"),
)
# Losing a membership looks for its sessions.
sa.Index("sessions_membership", SESSIONS.c.organization_id, SESSIONS.c.user_id)
# People look at their sessions, and end them all.
sa.Index("sessions_user", SESSIONS.c.user_id, SESSIONS.c.id, postgresql_where=SESSIONS.c.ended_at.is_(None))
# What ended, or ran out, long ago is purged.
sa.Index(
    "sessions_over",
    SESSIONS.c.organization_id,
    sa.func.coalesce(SESSIONS.c.ended_at, SESSIONS.c.expires_at),
)

# Credentials whose access tokens are refused before they expire: sessions, and whatever else a caller carries
# the id of. Rows of their own, which outlive what they speak of; for a few hours.
REVOCATIONS = sa.Table(
    "revocations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("revoked_at", MOMENT, nullable=False, server_default=sa.text("clock_timestamp()")),
)
# The gateways ask for the newest, and every revocation sweeps a few of the oldest.
sa.Index("revocations_revoked_at", REVOCATIONS.c.revoked_at)
