"""What a guest's move keeps of the fee, and the booking by whose link a guest joined the waitlist."""

from alembic import op

revision = "0015"
down_revision = "0014"

_STATEMENTS = (
    # The program before this one goes on writing meanwhile, and knows none of it.
    "ALTER TABLE bookings ADD COLUMN free_until TIMESTAMP WITH TIME ZONE",
    """
    ALTER TABLE waitlist_entries
        ADD COLUMN booking_id UUID,
        ADD COLUMN instead_of_booking BOOLEAN NOT NULL DEFAULT false,
        ADD CONSTRAINT waitlist_entries_of_booking FOREIGN KEY(organization_id, booking_id)
            REFERENCES bookings (organization_id, id) NOT VALID
    """,
    "ALTER TABLE waitlist_entries VALIDATE CONSTRAINT waitlist_entries_of_booking",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("waitlist_entries", "instead_of_booking")
    op.drop_column("waitlist_entries", "booking_id")
    op.drop_column("bookings", "free_until")
