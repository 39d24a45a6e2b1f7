"""What all tables of auth share: one metadata and moments."""

import sqlalchemy as sa

from servicekit.tables import platform_tables, retention_table

METADATA = sa.MetaData()
platform_tables(METADATA)
RETENTION_SETTINGS = retention_table(METADATA)

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
