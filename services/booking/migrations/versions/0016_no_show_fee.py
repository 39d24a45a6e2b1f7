"""How much of its deposit a booking loses when its guest does not come, as it stood when it was booked."""

from alembic import op

from servicekit.migrations import backwards, rewrite_function

revision = "0016"
down_revision = "0015"

_ADDED = (
    ("policy, grace_minutes,", "policy, grace_minutes, no_show_percent,"),
    (
        "(p_more->>'grace_minutes')::integer,",
        "(p_more->>'grace_minutes')::integer, (p_more->>'no_show_percent')::integer,",
    ),
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE bookings ADD COLUMN no_show_percent INTEGER,"
        " ADD CONSTRAINT bookings_no_show_percent CHECK (no_show_percent BETWEEN 0 AND 100) NOT VALID"
    )
    op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT bookings_no_show_percent")
    rewrite_function("commit_booking", *_ADDED, saying="grace_minutes")


def downgrade() -> None:
    rewrite_function("commit_booking", *backwards(_ADDED), saying="grace_minutes")
    op.drop_column("bookings", "no_show_percent")
