"""Reading the audit log of an organization: looking, taking all of it away, checking the chain."""

from dataclasses import dataclass
from uuid import UUID

from auth.app import App
from auth.domain.audit import GENESIS, Entry, NoSandbox, verify
from auth.store import api_keys as key_store
from auth.store import audit as store
from auth.store.audit import Wanted
from servicekit.errors import InvalidPageToken
from servicekit.paging import Page

_AT_A_TIME = 1000
_MOST_CHECKED = 100_000
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a chain is good."""

    verified: int
    """The number of the last entry that was found good."""
    first_broken: int | None
    newest: int


async def find_sandbox(app: App, organization_id: UUID) -> UUID:
    """The sandbox of an organization, which has a chain of its own.

    Raises:
        NoSandbox: the organization has made no test key yet.
    """
    async with app.db.begin_platform(reason="find the sandbox of an organization") as tx:
        found = await key_store.find_sandbox(tx, organization_id)
    if found is None:
        raise NoSandbox
    return found


async def list_entries(
    app: App, organization_id: UUID, wanted: Wanted, page: Page
) -> tuple[list[Entry], str]:
    """The entries that fit, the newest first, and the token of the next page.

    Raises:
        InvalidPageToken: the token holds no number of an entry.
    """
    before = _LARGEST
    if page.after:
        if not page.after[0].isdecimal() or int(page.after[0]) > _LARGEST:
            raise InvalidPageToken
        before = int(page.after[0])
    async with app.db.begin(organization_id) as tx:
        found = await store.find_entries(tx, organization_id, wanted, before=before, most=page.size + 1)
    shown = found[: page.size]
    return shown, page.next_token([str(shown[-1].seq)]) if len(found) > page.size else ""


async def export_entries(app: App, organization_id: UUID, *, after: int) -> tuple[list[Entry], int]:
    """Up to a thousand entries after number `after`, in their order, and the number of the newest."""
    async with app.db.begin(organization_id) as tx:
        newest, _ = await store.get_head(tx, organization_id)
        return await store.list_entries(tx, organization_id, after=after, most=_AT_A_TIME), newest


async def verify_log(app: App, organization_id: UUID, *, after: int) -> Verdict:
    """Walks the chain after number `after`, which counts as checked, up to a hundred thousand entries.

    An end that was cut off shows beside the head of the chain, which says how far it goes and with what hash.
    """
    verified = after
    async with app.db.begin(organization_id) as tx:
        newest, newest_hash = await store.get_head(tx, organization_id)
        previous = await store.hash_of(tx, organization_id, after) if after else GENESIS
        if previous is None:
            return Verdict(after, min(after, newest + 1), newest)
        while verified < min(newest, after + _MOST_CHECKED):
            entries = await store.list_entries(tx, organization_id, after=verified, most=_AT_A_TIME)
            entries = [each for each in entries if each.seq <= newest]
            broken = verify(entries, previous_hash=previous, seq=verified)
            if broken is not None or not entries:
                return Verdict((broken or verified + 1) - 1, broken or verified + 1, newest)
            verified, previous = entries[-1].seq, entries[-1].hash
    if verified == newest and previous != newest_hash:
        return Verdict(verified - 1, verified, newest)
    return Verdict(verified, None, newest)
