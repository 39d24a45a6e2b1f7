"""Alembic's entry for payment."""

from payment.tables import METADATA
from servicekit import migrations

migrations.run_environment(METADATA)
