"""What must be true of bookings whatever happened, read straight from the tables; and what breaks it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from google.protobuf.message import Message

from devstack.platform import Platform
from devstack.psql import run_sql
from servicekit import contract, ids
from servicekit.errors import InvalidRequest

_LIVE = """
    (b.status IN ('confirmed', 'arrived', 'seated')
     OR b.status IN ('held', 'requested') AND b.hold_expires_at > now() AND cardinality(b.resource_ids) > 0)
"""
_OVERLAPS = """
    SELECT format('!%s has %s and %s at once', one.resource_id, COALESCE(one.booking_id, one.block_id),
                  COALESCE(other.booking_id, other.block_id))
    FROM allocations one JOIN allocations other USING (organization_id, resource_id)
    WHERE one.venue_id = :'venue' AND one.ctid < other.ctid
        AND one.start_at < other.end_at AND other.start_at < one.end_at;
"""
_TORN = f"""
    SELECT format('!%s is at %s and has %s', b.id, b.resource_ids, a.resource_ids)
    FROM bookings b JOIN offerings o ON o.id = b.offering_id CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT resource_id ORDER BY resource_id) AS resource_ids,
            COALESCE(bool_and(start_at <= b.start_at AND b.end_at <= end_at), false) AS whole
        FROM allocations WHERE booking_id = b.id
    ) a
    WHERE b.venue_id = :'venue' AND {_LIVE} AND (
        a.resource_ids IS DISTINCT FROM ARRAY(SELECT each FROM unnest(b.resource_ids) each ORDER BY each)
        OR b.status IN ('held', 'confirmed') AND o.visit = '{{}}' AND NOT a.whole
    );
"""  # noqa: S608  # our own words only
_GHOSTS = """
    SELECT format('!%s is %s and still has %s', b.id, b.status, a.resource_id)
    FROM bookings b JOIN allocations a ON a.booking_id = b.id
    WHERE b.venue_id = :'venue'
        AND b.status NOT IN ('requested', 'held', 'confirmed', 'arrived', 'seated');
"""
_TOO_FAST = f"""
    SELECT format('!at %s begin %s people in %s parties', min(b.start_at), sum(b.party_size), count(*))
    FROM pacing_rules r JOIN venues v ON v.id = r.venue_id
    JOIN bookings b ON b.venue_id = r.venue_id AND b.offering_id = COALESCE(r.offering_id, b.offering_id)
    WHERE r.venue_id = :'venue' AND ({_LIVE} OR b.status = 'completed')
    GROUP BY r.organization_id, r.id, b.service_date, floor(
        extract(epoch FROM b.start_at AT TIME ZONE v.time_zone - b.service_date) / 60 / r.interval_minutes
    )
    HAVING NOT bool_or('pacing' = ANY (b.overridden)) AND (
        sum(b.party_size) > r.max_covers OR count(*) > r.max_parties
        OR sum(b.party_size) FILTER (WHERE b.channel = 'online') > r.online_covers
        OR count(*) FILTER (WHERE b.channel = 'online') > r.online_parties
    );
"""  # noqa: S608  # same
_HISTORY = """
    SELECT format('!%s is at version %s, its history has %s', b.id, b.version, c.versions)
    FROM bookings b CROSS JOIN LATERAL (
        SELECT array_agg(version ORDER BY version) AS versions FROM booking_changes WHERE booking_id = b.id
    ) c
    WHERE b.venue_id = :'venue'
        AND c.versions IS DISTINCT FROM ARRAY(SELECT generate_series(1, b.version));
"""
_VERSIONS = """
    SELECT format('v %s %s', id, version) FROM bookings WHERE venue_id = :'venue';
"""
_EVENTS = """
    SELECT format('e %s %s', split_part(type, '.', 4), encode(payload, 'hex')) FROM outbox
    WHERE topic = 'comptoir.booking.v1' AND (
        subject = :'venue' OR subject IN (SELECT id::text FROM bookings WHERE venue_id = :'venue')
    ) ORDER BY position;
"""
_NO_CHANGE = {"BookingLinkRequested"}
"""Events of bookings that did not change."""


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """The tables of the booking service, as far as they belong to one venue."""

    platform: Platform
    venue: UUID

    @property
    def database(self) -> str:
        """Of the booking service, as its superuser sees it."""
        return urlsplit(self.platform.engines.postgres_url)._replace(path="/booking").geturl()

    def rows(self, script: str) -> list[str]:
        """What a script prints. `:'venue'` stands for ours."""
        named = "\\getenv venue VENUE\n" + script
        return run_sql(self.database, named, {"VENUE": str(self.venue)}).splitlines()

    def told(self) -> list[Message]:
        """All events in the order of their commits, as far as a lock decided on that."""
        found = (each.split(" ") for each in self.rows(_EVENTS))
        return [_message(name, payload) for _, name, payload in found]

    def violations(self, *, paced: bool = True, planted: str = "") -> list[str]:
        """What is wrong: nothing, ever.

        `paced=False` for a venue whose limits were lowered below what it had. `planted` is done before, and
        undone after.
        """
        checks = [_OVERLAPS, _TORN, _GHOSTS, _HISTORY, *([_TOO_FAST] if paced else []), _VERSIONS, _EVENTS]
        found = self.rows("\n".join(["BEGIN;", planted, *checks, "ROLLBACK;"]))
        return [each[1:] for each in found if each.startswith("!")] + _untold(found)


def _untold(found: list[str]) -> list[str]:
    """Versions of bookings that no event tells of, or several."""
    wanted: Counter[tuple[str, int]] = Counter()
    told: Counter[tuple[str, int]] = Counter()
    for kind, first, second in (each.split(" ") for each in found if each[0] in "ve"):
        if kind == "v":
            wanted.update((ids.show("bkg", UUID(first)), number + 1) for number in range(int(second)))
        elif first.startswith("Booking") and first not in _NO_CHANGE:
            booking = _message(first, second).booking
            told[booking.booking_id, booking.version] += 1
    return [
        f"{booking} version {version} is told {told[booking, version]} times"
        for booking, version in sorted(wanted.keys() | told.keys())
        if told[booking, version] != wanted[booking, version]
    ]


def _message(name: str, payload: str) -> Any:
    return contract.events()[f"comptoir.booking.v1.{name}"].message.FromString(bytes.fromhex(payload))


def bookkeeping(platform: Platform, venue_id: str) -> Bookkeeping:
    """Of a venue as callers name it."""
    return Bookkeeping(platform, ids.parse("ven", venue_id, InvalidRequest))
