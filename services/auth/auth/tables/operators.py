"""Operators of the platform, who are no users; and what organizations see of them.

All but the access without organization_id: operators belong to no tenant.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from auth.tables.schema import METADATA, MOMENT


def _of_operator(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["operator_id"], ["operators.id"], name=f"{table}_of_operator", ondelete="CASCADE"
    )


# They are disabled, never deleted: what they did names them.
OPERATORS = sa.Table(
    "operators",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("enrolled_at", MOMENT),
    sa.Column("disabled_at", MOMENT),
    sa.Column("failed_at", ARRAY(MOMENT, as_tuple=True), nullable=False, server_default="{}"),
    # The log-in's lookup, and the order in which they are listed.
    sa.UniqueConstraint("email", name="operators_email_taken"),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="operators_email_normalised"),
    sa.CheckConstraint("role IN ('support', 'admin')", name="operators_role_known"),
    sa.CheckConstraint(
        "(enrolled_at IS NULL) = (password_hash = '')", name="operators_enrolled_with_password"
    ),
)

# Secrets to enrol with, and log-ins that wait for their second step.
OPERATOR_SECRETS = sa.Table(
    "operator_secrets",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("operator_id", sa.Uuid, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    _of_operator("operator_secrets"),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="operator_secrets_hashed"),
)
# A new enrolment, and whatever ends what an operator had, forgets the older ones.
sa.Index("operator_secrets_operator", OPERATOR_SECRETS.c.operator_id)

# The authenticator app of an operator, as totp_factors has those of people.
OPERATOR_TOTPS = sa.Table(
    "operator_totps",
    METADATA,
    sa.Column("operator_id", sa.Uuid, primary_key=True),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("begun_at", MOMENT, nullable=False),
    sa.Column("confirmed_at", MOMENT),
    sa.Column("last_counter", sa.BigInteger, nullable=False),
    _of_operator("operator_totps"),
)

OPERATOR_RECOVERY_CODES = sa.Table(
    "operator_recovery_codes",
    METADATA,
    sa.Column("operator_id", sa.Uuid, primary_key=True),
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("used_at", MOMENT),
    _of_operator("operator_recovery_codes"),
    sa.CheckConstraint("octet_length(code_hash) = 32", name="operator_recovery_codes_hashed"),
)

OPERATOR_SESSIONS = sa.Table(
    "operator_sessions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("operator_id", sa.Uuid, nullable=False),
    sa.Column("counter", sa.BigInteger, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("last_used_at", MOMENT, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("methods", ARRAY(sa.Text, as_tuple=True), nullable=False),
    sa.Column("authenticated_at", MOMENT, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("ended_at", MOMENT),
    sa.Column("end_reason", sa.Text),
    sa.Column("stepped_at", MOMENT),
    sa.Column("forgiven", sa.BigInteger, nullable=False, server_default="0"),
    _of_operator("operator_sessions"),
    sa.CheckConstraint("octet_length(salt) = 32", name="operator_sessions_salted"),
    sa.CheckConstraint("counter >= 0", name="operator_sessions_counter_positive"),
)
# Operators look at their sessions, and whatever takes their credentials ends them all.
sa.Index(
    "operator_sessions_operator",
    OPERATOR_SESSIONS.c.operator_id,
    OPERATOR_SESSIONS.c.id,
    postgresql_where=OPERATOR_SESSIONS.c.ended_at.is_(None),
)

# The organization's own: it outlives the operator's session, and says the name by which they were known.
OPERATOR_ACCESSES = sa.Table(
    "operator_accesses",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("operator_id", sa.Uuid, nullable=False),
    sa.Column("operator_name", sa.Text, nullable=False),
    sa.Column("session_id", sa.Uuid, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, nullable=False),
    sa.Column("write", sa.Boolean, nullable=False),
    sa.Column("began_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("ended_at", MOMENT),
    sa.Column("end_reason", sa.Text),
    sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.id"],
        name="operator_accesses_of_organization",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint(
        "ends_at > began_at AND ends_at <= began_at + interval '1 hour'", name="operator_accesses_short"
    ),
    sa.CheckConstraint(
        "(ended_at IS NULL) = (end_reason IS NULL)", name="operator_accesses_ended_for_a_reason"
    ),
)
# Renewing and ending know the id alone, and operators list all, the newest first.
sa.Index("operator_accesses_id", OPERATOR_ACCESSES.c.id, unique=True)
# The end of an operator's session looks for what was begun in it.
sa.Index(
    "operator_accesses_session",
    OPERATOR_ACCESSES.c.session_id,
    postgresql_where=OPERATOR_ACCESSES.c.ended_at.is_(None),
)
