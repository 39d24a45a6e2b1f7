"""Alembic's entry for booking."""

from booking.tables import METADATA
from servicekit import migrations

migrations.run_environment(METADATA)
