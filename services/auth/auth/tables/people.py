"""Users, those who may become one, and the tries to log in. They belong to no tenant: each says why."""

import sqlalchemy as sa

from auth.tables.schema import METADATA, MOMENT, NOW

# A person. Without organization_id: one person may be a member of many organizations.
USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("verified_at", MOMENT, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    # The log-in's lookup; and one account per address, whoever verifies first.
    sa.UniqueConstraint("email", name="users_email_taken"),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="users_email_normalised"),
)

# Keyed hashes of the addresses that an account had before. Without organization_id: they are the person's.
FORMER_ADDRESSES = sa.Table(
    "former_addresses",
    METADATA,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("address_hash", sa.LargeBinary, primary_key=True),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="former_addresses_of_user", ondelete="CASCADE"),
    sa.CheckConstraint("octet_length(address_hash) = 32", name="former_addresses_hashed"),
)

# Somebody who may become a user. Without organization_id: the organization does not exist yet. Lives a day.
REGISTRATIONS = sa.Table(
    "registrations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("organization_name", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("mails", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("completed_at", MOMENT),
    sa.Column("organization_id", sa.Uuid),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="registrations_email_normalised"),
    sa.CheckConstraint(
        "(completed_at IS NULL) = (organization_id IS NULL)", name="registrations_complete_with_organization"
    ),
)
# Registering, sending again and logging in look for what waits for an address.
sa.Index(
    "registrations_waiting", REGISTRATIONS.c.email, postgresql_where=REGISTRATIONS.c.completed_at.is_(None)
)

# The hash of a link's secret. Without organization_id: it belongs to a registration.
EMAIL_VERIFICATIONS = sa.Table(
    "email_verifications",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("registration_id", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("used_at", MOMENT),
    sa.ForeignKeyConstraint(
        ["registration_id"],
        ["registrations.id"],
        name="email_verifications_of_registration",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="email_verifications_hashed"),
)
# Deleting a registration looks for its tokens.
sa.Index("email_verifications_registration", EMAIL_VERIFICATIONS.c.registration_id)

# Log-ins that did not succeed yet, by a hash of who and where. Without organization_id: it is not known yet.
LOG_IN_ATTEMPTS = sa.Table(
    "log_in_attempts",
    METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("since", MOMENT, nullable=False),
)
# Every count sweeps a few windows that are over.
sa.Index("log_in_attempts_since", LOG_IN_ATTEMPTS.c.since)
