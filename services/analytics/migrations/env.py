"""Alembic's entry for analytics."""

from analytics.tables import METADATA
from servicekit import migrations

migrations.run_environment(METADATA)
