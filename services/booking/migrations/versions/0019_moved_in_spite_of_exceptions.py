"""Bookings that staff made an exception of hours, notice or pacing for may be moved to other seats again."""

from servicekit.migrations import rewrite_function

revision = "0019"
down_revision = "0018"

# What seats the party was set aside with its size alone. The engine leaves one beside the hours where it is.
_BEFORE = "cardinality(g.overridden) = 0"
_AFTER = "NOT 'party_size' = ANY (g.overridden)"


def upgrade() -> None:
    rewrite_function("read_venue_days", (_BEFORE, _AFTER))


def downgrade() -> None:
    rewrite_function("read_venue_days", (_AFTER, _BEFORE))
