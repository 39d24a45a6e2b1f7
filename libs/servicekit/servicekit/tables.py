"""The tables that every service's database has, as servicekit reads and writes them; no migration tool."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


def platform_tables(metadata: sa.MetaData) -> Sequence[sa.Table]:
    """The tables that servicekit keeps in every service's database."""
    moment = sa.DateTime(timezone=True)
    now = sa.text("now()")
    outbox = sa.Table(
        "outbox",
        metadata,
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("headers", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("created_at", moment, nullable=False, server_default=now),
        sa.Column("published_at", moment),
        sa.Column("partition", sa.Integer),
        sa.Column("log_offset", sa.BigInteger),
    )
    # The relay's poll; and its look at how far the log got.
    sa.Index("outbox_pending", outbox.c.position, postgresql_where=outbox.c.published_at.is_(None))
    sa.Index("outbox_log", outbox.c.topic, outbox.c.partition, outbox.c.log_offset)
    confirmations = sa.Table(
        "relay_confirmations",
        metadata,
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
    )
    inbox = sa.Table(
        "inbox",
        metadata,
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("handled_at", moment, nullable=False, server_default=now),
    )
    positions = sa.Table(
        "consumer_positions",
        metadata,
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    timers = sa.Table(
        "timers",
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("leased_until", moment),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("payload", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("traceparent", sa.Text),
        sa.UniqueConstraint("kind", "key", name="timers_one_per_key"),
    )
    # The timer loop's poll.
    sa.Index("timers_due", timers.c.due_at)
    keys = sa.Table(
        "idempotency_keys",
        metadata,
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("resource_id", sa.Uuid, nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=now),
    )
    # Belongs to no organization: callers who have none send keys, too. What is in it is sealed.
    answers = sa.Table(
        "answers",
        metadata,
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("claim", sa.Uuid, nullable=False),
        sa.Column("claimed_until", moment, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("created_at", moment, nullable=False, server_default=now),
    )
    # What is a day old goes.
    sa.Index("answers_old", answers.c.created_at)
    return outbox, confirmations, inbox, positions, timers, keys, answers


def retention_table(metadata: sa.MetaData) -> sa.Table:
    """How long organizations keep what, in days, in the service that owns it and in those that copy it."""
    periods = ("guest_days", "wish_days", "ticket_days", "mail_days", "delivery_days")
    return sa.Table(
        "retention_settings",
        metadata,
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        # Of auth's row: an older one never replaces a newer one.
        sa.Column("version", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in periods),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        *(sa.CheckConstraint(f"{name} BETWEEN 1 AND 3650", name=f"retention_{name}") for name in periods),
    )
