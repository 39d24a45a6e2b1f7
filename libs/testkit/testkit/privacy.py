"""Auth's side of requests about persons, behind the real guard; and a sweep for what must be nowhere."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from comptoir.auth.v1 import privacy_pb2, privacy_pb2_grpc
from servicekit import identity, ids
from servicekit.database import Database
from servicekit.privacy import PrivacyDesk
from servicekit.rpc.client import Peer
from testkit.edge import Edge

_COLUMNS = """
    SELECT quote_ident(c.table_name) AS of_table, quote_ident(c.column_name) AS name, c.data_type AS type
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
       AND c.data_type IN ('text', 'ARRAY', 'jsonb', 'json', 'bytea', 'inet', 'character varying')
     ORDER BY 1, 2
"""


class PrivacyOffice(privacy_pb2_grpc.PrivacyDirectoryServiceServicer):
    """Says whom a request is about, and takes in what services keep."""

    def __init__(self) -> None:
        self.subjects: dict[str, tuple[str, str, str]] = {}
        """Request → e-mail address, number and name."""
        self.parts: dict[tuple[str, str], bytes] = {}
        """Request and service → the document."""
        self.times = 0
        """How often anything was handed in."""
        self._peers: list[Peer] = []
        self._edge: Edge | None = None

    def opened(self, edge: Edge) -> "PrivacyOffice":
        """The same, reachable at `edge`."""
        self._edge = edge
        return self

    def desk_of(self, service: str) -> PrivacyDesk:
        """The office as a service sees it."""
        assert self._edge is not None  # noqa: S101  # the fixture opens it
        self._peers.append(self._edge.peer_of(service))
        return PrivacyDesk(self._peers[-1])

    def file(self, *, email: str = "", phone: str = "", name: str = "") -> UUID:
        """A request about somebody."""
        request_id = ids.new()
        self.subjects[ids.show("prq", request_id)] = (email, phone, name)
        return request_id

    async def GetPrivacySubject(  # noqa: N802
        self, request: Any, _: Any
    ) -> privacy_pb2.GetPrivacySubjectResponse:
        """Whom it is about."""
        email, phone, name = self.subjects.get(request.request_id, ("", "", ""))
        return privacy_pb2.GetPrivacySubjectResponse(email=email, phone=phone, name=name)

    async def PutExportPart(self, request: Any, _: Any) -> privacy_pb2.PutExportPartResponse:  # noqa: N802
        """The first document counts."""
        self.times += 1
        self.parts.setdefault((request.request_id, identity.caller().issuer), request.document)
        return privacy_pb2.PutExportPartResponse()

    async def close(self) -> None:
        """Closes what services saw it through."""
        for peer in self._peers:
            await peer.close()


async def traces(db: Database, wanted: Iterable[str]) -> set[str]:
    """`text in table.column`, for every text that stands in any row of any table.

    As itself, as bytes, or as the digits of bytes. Looks at every column that can hold one, as the
    role of the platform, which sees all rows.
    """
    found = set()
    async with db.begin_platform(reason="sweep the database in a test") as tx:
        columns = (await tx.execute(sa.text(_COLUMNS))).all()
        for column in columns:
            both = f"encode({column.name}, 'escape') || ' ' || encode({column.name}, 'hex')"
            shown = both if column.type == "bytea" else f"{column.name}::text"
            query = sa.text(
                f"SELECT count(*) FROM {column.of_table} WHERE position(lower(:text) in lower({shown})) > 0"  # noqa: S608  # names of the catalogue
            )
            for text in wanted:
                if (await tx.execute(query, {"text": text})).scalar_one():
                    found.add(f"{text} in {column.of_table}.{column.name}")
    return found
