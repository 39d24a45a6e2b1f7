"""What an organization is in browsers: origins that may call for it, its own domains, its look."""

import sqlalchemy as sa

from auth.tables.schema import METADATA, MOMENT, NOW

ORIGINS = sa.Table(
    "origins",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    # As browsers write it.
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="origins_of_organization", ondelete="CASCADE"
    ),
    sa.UniqueConstraint("organization_id", "origin", name="origins_once"),
    sa.CheckConstraint("origin = lower(origin)", name="origins_normalised"),
)

WEB_DOMAINS = sa.Table(
    "web_domains",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("domain", sa.Text, nullable=False),
    # Public: it stands in DNS.
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("verified_at", MOMENT),
    # Of a verified one: since when its record is not there, and how often running it was looked for in vain.
    sa.Column("missing_since", MOMENT),
    sa.Column("missed", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="web_domains_of_organization", ondelete="CASCADE"
    ),
    sa.UniqueConstraint("organization_id", "domain", name="web_domains_once"),
    sa.CheckConstraint(
        "(missed = 0) = (missing_since IS NULL) AND (missing_since IS NULL OR verified_at IS NOT NULL)",
        name="web_domains_missed_while_verified",
    ),
)
# One organization has a domain.
sa.Index(
    "web_domains_verified",
    WEB_DOMAINS.c.domain,
    unique=True,
    postgresql_where=WEB_DOMAINS.c.verified_at.is_not(None),
)

THEMES = sa.Table(
    "themes",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("logo_url", sa.Text, nullable=False),
    sa.Column("background", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("accent", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="themes_of_organization", ondelete="CASCADE"
    ),
)

# When something of an organization's origins or verified domains last changed: gateways ask for what is new.
# The row stays when all of them are gone, because that is a change, too.
SITE_CHANGES = sa.Table(
    "site_changes",
    METADATA,
    sa.Column("organization_id", sa.Uuid, primary_key=True),
    sa.Column("changed_at", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(
        ["organization_id"], ["organizations.id"], name="site_changes_of_organization", ondelete="CASCADE"
    ),
)
# Gateways ask for the newest.
sa.Index("site_changes_changed_at", SITE_CHANGES.c.changed_at)
