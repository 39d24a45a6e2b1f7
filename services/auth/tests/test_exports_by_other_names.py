"""An erasure ends the exports of a person, by whatever address or number they were asked for."""

import asyncio

import pytest

from auth.app import App
from auth.domain.privacy import ExportExpired, PrivacyRequest, RequestKind, RequestStatus, identifiers_in
from auth.store import privacy as store
from auth.tables import PRIVACY_IDENTIFIERS
from auth.usecases import privacy
from testkit.privacy import traces
from testkit.waiting import eventually, waiting_for_locks

from .conftest import People
from .office import GUEST, OTHERS, OWNER, PHONE, Office, give, receipt
from .staff import log_in

NAME = "Zéphyrine"


@pytest.fixture
async def office(app: App, people: People) -> Office:
    await people.own(OWNER)
    return Office(app, await log_in(people, OWNER))


async def found(office: Office, request: PrivacyRequest, document: bytes, *services: str) -> None:
    """Services hand in what they have found."""
    for service in services:
        await privacy.take_part(office.app, office.organization, request.id, service, document)


def test_addresses_and_numbers_are_found_at_any_depth() -> None:
    document = b'{"a": [{"b": " Zoe@Guest.example "}, {"c": {"d": "+33612345678"}}], "e": "x y@z no", "f": 3}'
    assert identifiers_in(document) == {"zoe@guest.example", PHONE}
    assert identifiers_in(b"no document") == frozenset()


@pytest.mark.parametrize("late", [False, True], ids=["complete", "while it runs"])
@pytest.mark.parametrize("by_phone", [True, False], ids=["by telephone", "by address"])
async def test_an_export_goes_with_an_erasure_by_the_other_identifier(
    office: Office, *, by_phone: bool, late: bool
) -> None:
    number = {"email": "", "phone": PHONE, "name": NAME}
    export = await (office.ask(RequestKind.EXPORT, **number) if by_phone else office.ask(RequestKind.EXPORT))
    held = f'{{"guests": [{{"email": "{GUEST}", "phone": "{PHONE}"}}]}}'.encode()
    await found(office, export, held, "booking")
    if not late:
        await found(office, export, b"{}", *OTHERS[1:])
    assert await traces(office.app.db, [GUEST, PHONE]) == set()
    erasure = await (office.ask(RequestKind.ERASE) if by_phone else office.ask(RequestKind.ERASE, **number))
    with pytest.raises(ExportExpired):
        await office.download(export)
    assert (await office.read(export)).status is RequestStatus.EXPIRED
    again = await (office.ask(RequestKind.EXPORT, **number) if by_phone else office.ask(RequestKind.EXPORT))
    await found(office, again, held, *OTHERS)  # before all have erased them
    assert await office.download(again)
    await give(office.app, *(receipt(erasure, service) for service in OTHERS))
    with pytest.raises(ExportExpired):
        await office.download(again)
    async with office.app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(PRIVACY_IDENTIFIERS.select())).all() == []


async def test_exports_of_others_stay_here_and_the_same_guests_elsewhere(
    office: Office, people: People
) -> None:
    await people.own("marcel@example.org")
    elsewhere = Office(office.app, await log_in(people, "marcel@example.org"))
    other = await office.ask(RequestKind.EXPORT, email="swann@guest.example")
    theirs = await elsewhere.ask(RequestKind.EXPORT)
    await other_parts(office, other)
    await elsewhere.hand_in(theirs, *OTHERS)
    erasure = await office.ask(RequestKind.ERASE)
    await give(office.app, *(receipt(erasure, service) for service in OTHERS))
    assert await office.download(other)
    assert await elsewhere.download(theirs)


async def other_parts(office: Office, request: PrivacyRequest) -> None:
    await found(office, request, b'{"guests": [{"email": "swann@guest.example", "phone": ""}]}', *OTHERS)


async def test_an_erasure_waits_for_a_part_that_is_being_handed_in(office: Office) -> None:
    """Else it would not see what the part names. The part that came after it is in docs/privacy.md."""
    export = await office.ask(RequestKind.EXPORT, email="", phone=PHONE, name=NAME)
    async with office.app.db.begin_platform(reason="hand in a part slowly in a test") as tx:
        locked = await store.lock_request(tx, export.id)
        assert locked is not None
        await privacy.know_by(office.app, tx, locked, [GUEST])
        erasing = asyncio.create_task(office.ask(RequestKind.ERASE))
        assert await eventually(lambda: waiting_for_locks(office.app.db))
    await erasing
    assert (await office.read(export)).status is RequestStatus.EXPIRED
