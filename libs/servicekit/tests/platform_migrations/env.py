"""A database with nothing but servicekit's own tables."""

import sqlalchemy as sa

from servicekit import migrations

METADATA = sa.MetaData()
migrations.platform_tables(METADATA)
migrations.run_environment(METADATA)
