"""Second factors, what waits for one, and devices that need none for a while.

All without organization_id: factors belong to a person, who may be in many organizations.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from auth.tables.schema import METADATA, MOMENT


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"{table}_of_user", ondelete="CASCADE")


# The authenticator app of a person: at most one.
TOTP_FACTORS = sa.Table(
    "totp_factors",
    METADATA,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("begun_at", MOMENT, nullable=False),
    sa.Column("confirmed_at", MOMENT),
    sa.Column("last_counter", sa.BigInteger, nullable=False),
    _of_user("totp_factors"),
)

RECOVERY_CODES = sa.Table(
    "recovery_codes",
    METADATA,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("used_at", MOMENT),
    _of_user("recovery_codes"),
    sa.CheckConstraint("octet_length(code_hash) = 32", name="recovery_codes_hashed"),
)

PASSKEYS = sa.Table(
    "passkeys",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("credential_id", sa.LargeBinary, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("transports", ARRAY(sa.Text, as_tuple=True), nullable=False),
    sa.Column("backup_eligible", sa.Boolean, nullable=False),
    sa.Column("backed_up", sa.Boolean, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("last_used_at", MOMENT),
    # A log-in without user name finds its person by it.
    sa.UniqueConstraint("credential_id", name="passkeys_credential_taken"),
    _of_user("passkeys"),
)
# People look at their passkeys, and a log-in asks whether there are any.
sa.Index("passkeys_user", PASSKEYS.c.user_id, PASSKEYS.c.id)

# Log-ins that wait for a second step, and passkey ceremonies that were begun. Each lives five minutes.
CHALLENGES = sa.Table(
    "challenges",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("methods", ARRAY(sa.Text, as_tuple=True), nullable=False),
    # Without a reference: it is looked for again when the answer comes.
    sa.Column("connection_id", sa.Uuid),
    # The connection's issuer and client at the first step.
    sa.Column("provider", sa.Text),
    sa.Column("expires_at", MOMENT, nullable=False),
    _of_user("challenges"),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="challenges_hashed"),
)
# Every new challenge sweeps a few that are over; those of a person end with their password.
sa.Index("challenges_expires_at", CHALLENGES.c.expires_at)
sa.Index("challenges_user", CHALLENGES.c.user_id)

# When a person's second factors were wrong. Its lock has the answers of one person looked at one by one.
FACTOR_ATTEMPTS = sa.Table(
    "factor_attempts",
    METADATA,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("failed_at", ARRAY(MOMENT, as_tuple=True), nullable=False, server_default="{}"),
    _of_user("factor_attempts"),
)

REMEMBERED_DEVICES = sa.Table(
    "remembered_devices",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("token_hash", sa.LargeBinary, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("last_used_at", MOMENT, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    # A log-in finds the device by it.
    sa.UniqueConstraint("token_hash", name="remembered_devices_hashed_token"),
    _of_user("remembered_devices"),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="remembered_devices_hashed"),
)
# People look at their devices, and forget all of them.
sa.Index("remembered_devices_user", REMEMBERED_DEVICES.c.user_id, REMEMBERED_DEVICES.c.id)
# What holds no more is purged.
sa.Index("remembered_devices_expires_at", REMEMBERED_DEVICES.c.expires_at)
