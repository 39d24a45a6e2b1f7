"""Alembic's entry for auth."""

from auth.tables import METADATA
from servicekit import migrations

migrations.run_environment(METADATA)
