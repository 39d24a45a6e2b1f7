"""Alembic's entry for notification."""

from notification.tables import METADATA
from servicekit import migrations

migrations.run_environment(METADATA)
