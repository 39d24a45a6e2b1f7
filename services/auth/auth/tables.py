"""The tables of auth. Much of what it keeps is about people, who belong to no tenant: each says why."""

import sqlalchemy as sa

from servicekit.tables import platform_tables

METADATA = sa.MetaData()
platform_tables(METADATA)

_MOMENT = sa.DateTime(timezone=True)
_NOW = sa.text("now()")

PLATFORM_ONLY = ("users", "registrations", "email_verifications", "log_in_attempts")
"""Tables without organization_id. Row-level security is forced on them with a platform policy alone:
a tenant's transaction sees no row of them, and every use is one of the named, counted exceptions."""

# A person. Without organization_id: one person may be a member of many organizations.
USERS = sa.Table(
    "users",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("verified_at", _MOMENT, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    # The log-in's lookup; and one account per address, whoever verifies first.
    sa.UniqueConstraint("email", name="users_email_taken"),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="users_email_normalised"),
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
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("completed_at", _MOMENT),
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
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("used_at", _MOMENT),
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
    sa.Column("since", _MOMENT, nullable=False),
)
# Every count sweeps a few windows that are over.
sa.Index("log_in_attempts_since", LOG_IN_ATTEMPTS.c.since)

# The tenant itself: its id plays the part that organization_id plays elsewhere, in the policy too.
ORGANIZATIONS = sa.Table(
    "organizations",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
)

MEMBERSHIPS = sa.Table(
    "memberships",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False, server_default=_NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="memberships_of_organization", ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_of_user", ondelete="CASCADE"),
)
# Logging in looks for the organizations of a person.
sa.Index("memberships_user", MEMBERSHIPS.c.user_id, MEMBERSHIPS.c.created_at)

SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("organization_id", sa.Uuid, nullable=False),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("last_used_at", _MOMENT, nullable=False),
    sa.Column("expires_at", _MOMENT, nullable=False),
    sa.Column("ended_at", _MOMENT),
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
