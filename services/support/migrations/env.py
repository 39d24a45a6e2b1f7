"""Alembic's entry for support."""

from servicekit import migrations
from support.tables import METADATA

migrations.run_environment(METADATA)
