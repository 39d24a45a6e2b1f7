"""Mails about accounts with the hashes of their links, known devices, and counts of wishes."""

import sqlalchemy as sa

from auth.tables.schema import METADATA, MOMENT, NOW

# A mail about an account. Without organization_id: it is about a person. Lives as long as its link holds.
ACCOUNT_MAILS = sa.Table(
    "account_mails",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("user_id", sa.Uuid),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=NOW),
    sa.Column("expires_at", MOMENT, nullable=False),
    # The operator's access that it speaks of.
    sa.Column("access_id", sa.Uuid),
    # The organization's domain that it speaks of, and until when that stays verified.
    sa.Column("domain", sa.Text, nullable=False, server_default=""),
    sa.Column("verified_until", MOMENT),
    # The organization where sessions were ended, as it was called then.
    sa.Column("organization_name", sa.Text, nullable=False, server_default=""),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="account_mails_of_user", ondelete="CASCADE"),
    sa.CheckConstraint("email = lower(email) AND email <> ''", name="account_mails_email_normalised"),
)
# A newer wish takes the place of older ones, of an address or of a user.
sa.Index("account_mails_email", ACCOUNT_MAILS.c.email, ACCOUNT_MAILS.c.kind)
sa.Index("account_mails_user", ACCOUNT_MAILS.c.user_id, ACCOUNT_MAILS.c.kind)

# The hash of a link's secret; a mail that is posted twice has two. Without organization_id: as its mail.
ACCOUNT_LINKS = sa.Table(
    "account_links",
    METADATA,
    sa.Column("token_hash", sa.LargeBinary, primary_key=True),
    sa.Column("mail_id", sa.Uuid, nullable=False),
    sa.ForeignKeyConstraint(
        ["mail_id"], ["account_mails.id"], name="account_links_of_mail", ondelete="CASCADE"
    ),
    sa.CheckConstraint("octet_length(token_hash) = 32", name="account_links_hashed"),
)
# Deleting a mail looks for its links.
sa.Index("account_links_mail", ACCOUNT_LINKS.c.mail_id)

# What a person has logged in with, by a keyed hash. Without organization_id: it is the person's.
KNOWN_DEVICES = sa.Table(
    "known_devices",
    METADATA,
    sa.Column("user_id", sa.Uuid, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, primary_key=True),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="known_devices_of_user", ondelete="CASCADE"),
    sa.CheckConstraint("octet_length(fingerprint) = 32", name="known_devices_hashed"),
)
# What was not seen for long is purged.
sa.Index("known_devices_seen_at", KNOWN_DEVICES.c.seen_at)

# How often something was wished for, by a hash of what and who. Without organization_id: nobody is known yet.
WISH_COUNTS = sa.Table(
    "wish_counts",
    METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
)
# Every count sweeps a few windows that are over.
sa.Index("wish_counts_ends_at", WISH_COUNTS.c.ends_at)
