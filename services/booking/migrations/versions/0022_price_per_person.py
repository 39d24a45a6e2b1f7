"""Bookings keep the price of each person as it stood: a party that changes its size pays for who comes."""

from alembic import op

from servicekit.migrations import backwards, rewrite_function

revision = "0022"
down_revision = "0021"

_ADDED = (
    ("price_amount, price_currency,", "price_amount, price_per_person, price_currency,"),
    (
        "(p_more->>'price')::bigint,",
        "(p_more->>'price')::bigint, (p_more->>'price_per_person')::bigint,",
    ),
)
_READ_ACROSS_TENANTS = ("bookings", "booking_changes")

# What was resized before kept the price of the party that booked: its first change of size tells which.
FILL = """
UPDATE bookings b SET
    price_per_person = b.price_amount / booked.party_size,
    price_amount = b.price_amount / booked.party_size * b.party_size
FROM (
    SELECT o.organization_id, o.id, coalesce((
        SELECT (c.differences->'party_size'->>0)::integer FROM booking_changes c
        WHERE c.organization_id = o.organization_id AND c.booking_id = o.id AND c.differences ? 'party_size'
        ORDER BY c.version LIMIT 1
    ), o.party_size) AS party_size
    FROM bookings o WHERE o.price_amount IS NOT NULL
) booked
WHERE booked.organization_id = b.organization_id AND booked.id = b.id
"""


def upgrade() -> None:
    op.execute("ALTER TABLE bookings ADD COLUMN price_per_person BIGINT")
    # While it is forced, the owner sees nobody's rows.
    for table in _READ_ACROSS_TENANTS:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(FILL)
    for table in _READ_ACROSS_TENANTS:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    rewrite_function("commit_booking", *_ADDED, saying="price_currency")


def downgrade() -> None:
    rewrite_function("commit_booking", *backwards(_ADDED), saying="price_currency")
    op.drop_column("bookings", "price_per_person")
