"""Connections to providers, whom providers know people as, and log-ins that are under way."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from auth.tables.schema import METADATA, MOMENT, NOW

CONNECTIONS = sa.Table(
    "connections",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("sealed_secret", sa.LargeBinary, nullable=False),
    sa.Column("default_role", sa.Text, nullable=False),
    sa.Column("role_claim", sa.Text, nullable=False),
    # Pairs in their order.
    sa.Column("role_mappings", JSONB, nullable=False),
    sa.Column("required", sa.Boolean, nullable=False),
    sa.Column("provides_second_factor", sa.Boolean, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="connections_of_organization", ondelete="CASCADE"
    ),
)
# A browser names the connection alone.
sa.Index("connections_id", CONNECTIONS.c.id, unique=True)

CONNECTION_DOMAINS = sa.Table(
    "connection_domains",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    # One connection of an organization speaks for a domain.
    sa.Column("domain", sa.Text, primary_key=True),
    sa.Column("connection_id", sa.Uuid, nullable=False),
    # Public: it stands in DNS.
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("verified_at", MOMENT),
    # Of a verified one: since when its record is not there, and how often running it was looked for in vain.
    sa.Column("missing_since", MOMENT),
    sa.Column("missed", sa.SmallInteger, nullable=False, server_default="0"),
    sa.ForeignKeyConstraint(
        ["organization_id", "connection_id"],
        ["connections.organization_id", "connections.id"],
        name="connection_domains_of_connection",
        ondelete="CASCADE",
    ),
    sa.CheckConstraint(
        "(missed = 0) = (missing_since IS NULL) AND (missing_since IS NULL OR verified_at IS NOT NULL)",
        name="connection_domains_missed_while_verified",
    ),
)
# One organization has a domain; and log-ins look for it.
sa.Index(
    "connection_domains_verified",
    CONNECTION_DOMAINS.c.domain,
    unique=True,
    postgresql_where=CONNECTION_DOMAINS.c.verified_at.is_not(None),
)
sa.Index(
    "connection_domains_connection", CONNECTION_DOMAINS.c.organization_id, CONNECTION_DOMAINS.c.connection_id
)

# Whom a provider knows a person as. Without organization_id as tenant: it belongs to a person. `realm` is the
# organization whose connection said it, or zero for the social ones: what one realm says counts in no other.
IDENTITIES = sa.Table(
    "identities",
    METADATA,
    sa.Column("realm", sa.Uuid, primary_key=True),
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Uuid, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="identities_of_user", ondelete="CASCADE"),
)
# Deleting an account looks for them.
sa.Index("identities_user", IDENTITIES.c.user_id)

# Browsers on their way to a provider and back: ten minutes. Without organization_id: nobody is known yet.
SSO_ATTEMPTS = sa.Table(
    "sso_attempts",
    METADATA,
    sa.Column("state_hash", sa.LargeBinary, primary_key=True),
    sa.Column("browser_hash", sa.LargeBinary, nullable=False),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("sealed_verifier", sa.LargeBinary, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    sa.Column("return_to", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.CheckConstraint(
        "octet_length(state_hash) = 32 AND octet_length(browser_hash) = 32", name="sso_attempts_hashed"
    ),
)
# Every new one sweeps a few that are over.
sa.Index("sso_attempts_expires_at", SSO_ATTEMPTS.c.expires_at)

# People who came back and have not traded their code yet: a minute. Without organization_id, as above.
SSO_ARRIVALS = sa.Table(
    "sso_arrivals",
    METADATA,
    sa.Column("code_hash", sa.LargeBinary, primary_key=True),
    sa.Column("connection", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    # Of a connection: which issuer said it to which client. No others are believed by then.
    sa.Column("provider", sa.Text),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("groups", ARRAY(sa.Text, as_tuple=True), nullable=False),
    sa.Column("second_factor", sa.Boolean, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.CheckConstraint("octet_length(code_hash) = 32", name="sso_arrivals_hashed"),
)
# Every new one sweeps a few that are over.
sa.Index("sso_arrivals_expires_at", SSO_ARRIVALS.c.expires_at)
