"""docs/privacy.md says of every column that can hold text or bytes whether it is of a person."""

import re
from collections import defaultdict
from collections.abc import Mapping

import pytest
import sqlalchemy as sa

from servicekit.contract import CONTEXTS
from testkit.plugin import OpenDatabase

_BEGIN, _END = "<!-- Where personal data is: begin -->", "<!-- Where personal data is: end -->"
_WORD = re.compile(r"`(\w+)`")
_CATALOGUE = sa.text("""
    SELECT c.table_name AS of_table, c.column_name AS name
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name <> 'alembic_version'
       AND (c.data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'xml', 'bytea', 'inet')
            OR c.udt_name IN ('_text', '_varchar', '_bpchar', '_jsonb', '_bytea', 'citext', '_citext'))
""")


@pytest.fixture(scope="module")
def described(pytestconfig: pytest.Config) -> Mapping[str, Mapping[str, list[str]]]:
    """Service → table → its columns, as the document has them."""
    text = (pytestconfig.rootpath / "docs" / "privacy.md").read_text(encoding="utf-8")
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for line in text.partition(_BEGIN)[2].partition(_END)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) < 4 or not _WORD.fullmatch(cells[1]):
            continue
        (table,) = _WORD.findall(cells[1])
        for service in CONTEXTS if cells[0] == "all" else [cells[0]]:
            assert table not in found[service]
            found[service][table] = _WORD.findall(cells[2]) + _WORD.findall(cells[3])
    return found


@pytest.mark.parametrize("service", CONTEXTS)
async def test_every_column_that_can_hold_text_is_classified_and_none_that_is_gone(
    service: str, described: Mapping[str, Mapping[str, list[str]]], service_database: OpenDatabase
) -> None:
    database = await service_database(service)
    async with database.engine.connect() as connection:
        rows = (await connection.execute(_CATALOGUE)).all()
    columns: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        columns[row.of_table].add(row.name)
    assert {table: set(names) for table, names in described[service].items()} == dict(columns)
    assert all(len(names) == len(set(names)) for names in described[service].values())
