"""Requests about persons: taken in once, ended by the last of six receipts, and then about nobody."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from auth.app import App
from auth.domain.privacy import (
    PrivacyRequest,
    RequestKind,
    RequestStatus,
    Subject,
    SubjectHasBookings,
    SubjectHasOpenPayments,
    SubjectUnclear,
)
from auth.store import privacy as store
from auth.tables import PRIVACY_REQUESTS
from auth.usecases import privacy, privacy_wishes
from auth.usecases.privacy import PRIVACY_OVERDUE
from servicekit import ids
from servicekit.inbox import AlreadyHandled
from servicekit.paging import Page
from testkit import timers
from testkit.privacy import traces

from .conftest import Expected, People
from .office import (
    GUEST,
    OTHERS,
    OWNER,
    PHONE,
    Office,
    age,
    announced,
    give,
    receipt,
    ring,
    sealed,
)
from .staff import log_in


@pytest.fixture
async def office(app: App, people: People) -> Office:
    await people.own(OWNER)
    return Office(app, await log_in(people, OWNER))


async def test_an_erasure_ends_with_the_last_of_six_receipts_and_forgets_whom_it_was_about(
    office: Office,
) -> None:
    request = await office.ask(RequestKind.ERASE)
    assert request.waiting_for == OTHERS
    for service in OTHERS[:-1]:
        await give(office.app, receipt(request, service, things=2))
        assert (await office.read(request)).runs
    assert await sealed(office.app, request) == (True, True)
    await give(office.app, receipt(request, OTHERS[-1], things=0))
    ended = await office.read(request)
    assert (ended.status, ended.waiting_for) == (RequestStatus.COMPLETED, ())
    assert {each.service: dict(each.rows) for each in ended.receipts} == {
        "auth": {"invitations": 0},
        **{service: {"things": 2} for service in OTHERS[:-1]},
        OTHERS[-1]: {"things": 0},
    }
    assert await sealed(office.app, request) == (False, False)
    assert await privacy.find_subject(office.app, office.organization, request.id) is None
    assert await timers.scheduled(office.app.db, PRIVACY_OVERDUE) == []


async def test_no_address_stands_in_any_column_event_or_entry_while_it_runs_and_after(
    office: Office,
) -> None:
    for phone, name in (("", ""), (PHONE, "Zephyrine")):
        request = await office.ask(RequestKind.ERASE, email="" if phone else GUEST, phone=phone, name=name)
        assert await traces(office.app.db, [GUEST, PHONE, "zephyrine"]) == set()
        subject = await privacy.find_subject(office.app, office.organization, request.id)
        assert subject == Subject("" if phone else GUEST, phone, name.lower())
        await give(office.app, *(receipt(request, service) for service in OTHERS))
    assert await traces(office.app.db, [GUEST, PHONE]) == set()
    assert [each.request_id for each in await announced(office.app)] != []
    assert all(not each.user_id for each in await announced(office.app))


async def test_receipts_count_once_in_any_order_and_for_their_request_alone(office: Office) -> None:
    request = await office.ask(RequestKind.ERASE)
    other = await office.ask(RequestKind.ERASE, email="marcel@guest.example")
    first = receipt(request, "support", tickets=1)
    await give(office.app, first, receipt(request, "support", tickets=9))
    with pytest.raises(AlreadyHandled):
        await give(office.app, first)
    await give(office.app, *(receipt(request, service) for service in reversed(OTHERS)))
    ended = await office.read(request)
    assert {each.service: dict(each.rows) for each in ended.receipts}["support"] == {"tickets": 1}
    assert ended.status is RequestStatus.COMPLETED
    assert (await office.read(other)).waiting_for == OTHERS
    await give(office.app, receipt(request, "booking"))  # too late, and new: nothing happens
    stranger = PrivacyRequest.take_in(
        ids.new(), RequestKind.ERASE, requested_by=ids.new(), now=ended.created_at
    )
    await give(office.app, receipt(stranger, "booking"))


async def test_the_same_wish_for_the_same_guest_is_one_request_until_it_has_ended(office: Office) -> None:
    request = await office.ask(RequestKind.ERASE)
    assert (await office.ask(RequestKind.ERASE, email=f" {GUEST.upper()} ")).id == request.id
    others = {
        (await office.ask(RequestKind.EXPORT)).id,
        (await office.ask(RequestKind.ERASE, email="marcel@guest.example")).id,
    }
    assert len(others | {request.id}) == 3
    await give(office.app, *(receipt(request, service) for service in OTHERS))
    assert (await office.ask(RequestKind.ERASE)).id != request.id


async def test_of_many_who_ask_at_once_one_begins_a_request(office: Office) -> None:
    asked = await asyncio.gather(*(office.ask(RequestKind.ERASE) for _ in range(8)))
    assert len({each.id for each in asked}) == 1
    assert len(await announced(office.app)) == 1


async def test_without_the_index_two_would_run(office: Office) -> None:
    """The control: what refuses the second one is the index alone."""
    async with office.app.db.begin(office.organization) as tx:
        for _ in range(2):
            request = PrivacyRequest.take_in(
                ids.new(), RequestKind.ERASE, requested_by=ids.new(), now=tx.now,
                organization_id=office.organization,
            )  # fmt: skip
            begun = await store.insert_request(
                tx, request, subject_hash=ids.new().bytes * 2, sealed_key=None, sealed_subject=None
            )
            assert begun
        assert not await store.insert_request(
            tx, PrivacyRequest.take_in(
                ids.new(), RequestKind.ERASE, requested_by=ids.new(), now=tx.now,
                organization_id=office.organization,
            ), subject_hash=(await _hash_of(tx, request.id)), sealed_key=None, sealed_subject=None,
        )  # fmt: skip


async def test_a_repeated_call_gets_the_same_request_even_after_it_has_ended(office: Office) -> None:
    request = await office.ask(RequestKind.ERASE, key="once")
    await give(office.app, *(receipt(request, service) for service in OTHERS))
    again = await office.ask(RequestKind.ERASE, key="once")
    assert (again.id, again.status) == (request.id, RequestStatus.COMPLETED)


async def test_who_is_expected_is_not_forgotten_and_who_is_owed_something_neither(
    office: Office, expected: Expected
) -> None:
    expected.to_come[GUEST] = ["bkg_a", "bkg_b"]
    with pytest.raises(SubjectHasBookings) as refused:
        await office.ask(RequestKind.ERASE)
    assert refused.value.metadata == {"booking_ids": "bkg_a,bkg_b"}
    await office.ask(RequestKind.EXPORT)  # whoever wants to know may be expected
    expected.to_come.clear()
    expected.bookings[GUEST], expected.payments["bkg_c"] = ["bkg_c"], "pay_c"
    with pytest.raises(SubjectHasOpenPayments) as owed:
        await office.ask(RequestKind.ERASE)
    assert owed.value.metadata == {"payment_ids": "pay_c"}
    expected.payments.clear()
    assert (await office.ask(RequestKind.ERASE)).runs


@pytest.mark.parametrize(
    ("email", "phone", "name"),
    [
        ("", "", ""),
        (GUEST, PHONE, ""),
        (GUEST, PHONE, "Zephyrine"),
        ("\u200b", "", ""),
        ("", PHONE, ""),
        ("", PHONE, "  "),
        (GUEST, "", "Zephyrine"),
        ("", "", "Zephyrine"),
    ],
)
def test_a_guest_is_named_in_exactly_one_way(email: str, phone: str, name: str) -> None:
    with pytest.raises(SubjectUnclear):
        Subject.of(email, phone, name)


async def test_who_shares_a_number_has_requests_of_their_own_and_spellings_are_one_person(
    office: Office,
) -> None:
    made = [
        (await office.ask(RequestKind.ERASE, email="", phone=PHONE, name=name)).id
        for name in ("Zoé  Martin", " ZOE\u0301 martin ", "Zoe Martin", "Marcel Martin")
    ]
    assert made[0] == made[1]
    assert len(set(made)) == 3


async def test_booking_is_asked_by_number_and_name(office: Office, expected: Expected) -> None:
    expected.to_come[f"{PHONE} marcel"] = ["bkg_a"]
    with pytest.raises(SubjectHasBookings):
        await office.ask(RequestKind.ERASE, email="", phone=PHONE, name="Marcel")
    assert (await office.ask(RequestKind.ERASE, email="", phone=PHONE, name="Zephyrine")).runs


async def test_the_list_has_pages_the_newest_first(office: Office) -> None:
    made = [await office.ask(RequestKind.EXPORT, email=f"{number}@guest.example") for number in range(5)]
    seen: list[UUID] = []
    page = Page(2, None, "")
    while True:
        found, token = await privacy_wishes.list_requests(office.app, office.organization, page)
        seen += [each.id for each in found]
        if not token:
            break
        page = Page(2, (found[-1].id.hex,), "")
    assert seen == [each.id for each in reversed(made)]


async def test_a_request_that_is_late_is_marked_and_counted_and_can_still_end(office: Office) -> None:
    request = await office.ask(RequestKind.ERASE)
    before = _overdue()
    await ring(office.app, PRIVACY_OVERDUE)  # not yet late: the clock of the database decides
    assert not (await office.read(request)).overdue_at
    late = await office.ask(RequestKind.ERASE, email=OWNER)
    await age(office.app, 31)
    await ring(office.app, PRIVACY_OVERDUE)
    assert (await office.read(late)).overdue_at
    assert _overdue() == before + 1
    await give(office.app, *(receipt(late, service) for service in OTHERS))
    assert (await office.read(late)).status is RequestStatus.COMPLETED


async def _hash_of(tx: Any, request_id: UUID) -> bytes:
    query = sa.select(PRIVACY_REQUESTS.c.subject_hash).where(PRIVACY_REQUESTS.c.id == request_id)
    found: bytes = (await tx.execute(query)).scalar_one()
    return found


def _overdue() -> float:
    found = REGISTRY.get_sample_value(
        "comptoir_privacy_requests_overdue_total", {"kind": RequestKind.ERASE.value}
    )
    return found or 0.0
