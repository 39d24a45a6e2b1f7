"""Exports of guests and accounts, and what the log and the receipts say of requests about persons."""

import io
import json
import zipfile

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.privacy import (
    SERVICES,
    ExportExpired,
    ExportNotReady,
    PrivacyRequestNotFound,
    RequestKind,
    RequestStatus,
)
from auth.sealing import SealBroken
from auth.store import audit
from auth.store import privacy as store
from auth.tables import INVITATIONS
from auth.timers import TIMERS
from auth.usecases import leaving, privacy, privacy_wishes
from auth.usecases.privacy import FORGET_EXPORT
from comptoir.auth.v1 import events_pb2
from servicekit import ids
from servicekit.paging import Page
from testkit import timers
from testkit.paging import WHOLE
from testkit.privacy import traces

from .conftest import PLACE, People
from .mailbox import waiting
from .office import (
    GUEST,
    OTHERS,
    OWNER,
    Office,
    age,
    announced,
    give,
    receipt,
    ring,
    sealed,
)
from .staff import by, hire, invite, link, log_in


@pytest.fixture
async def office(app: App, people: People) -> Office:
    await people.own(OWNER)
    return Office(app, await log_in(people, OWNER))


async def test_old_invitations_to_a_guest_go_and_open_ones_stay(office: Office, people: People) -> None:
    open_one = await invite(office.app, office.owner, "marcel@guest.example")
    over = await invite(office.app, office.owner, GUEST)
    await link(office.app, over)
    async with office.app.db.begin(office.organization) as tx:
        await tx.execute(
            sa.update(INVITATIONS).where(INVITATIONS.c.id == over.id).values(revoked_at=sa.func.now())
        )
    exported = await office.ask(RequestKind.EXPORT)
    await office.hand_in(exported, *OTHERS)
    told = (await office.download(exported))["auth.json"]
    assert [each["email"] for each in told["invitations"]] == [GUEST]
    for email in (GUEST, "marcel@guest.example"):
        await office.ask(RequestKind.ERASE, email=email)
    async with office.app.db.begin(office.organization) as tx:
        assert (await tx.execute(sa.select(INVITATIONS.c.id))).scalars().all() == [open_one.id]


async def test_an_export_can_be_downloaded_once_all_have_handed_in_and_for_seven_days(
    office: Office,
) -> None:
    request = await office.ask(RequestKind.EXPORT)
    await office.hand_in(request, *OTHERS[:-1], word="her words")
    await office.hand_in(request, "booking", word="again")
    with pytest.raises(ExportNotReady):
        await office.download(request)
    assert await waiting(office.app, MailKind.EXPORT_READY) == []
    await office.hand_in(request, OTHERS[-1], word="her words")
    assert len(await waiting(office.app, MailKind.EXPORT_READY)) == 1
    told = await office.download(request)
    assert told == {"auth.json": {"invitations": []}} | {
        f"{service}.json": {"her words": [service]} for service in OTHERS
    }
    assert await traces(office.app.db, ["her words"]) == set()
    await age(office.app, 8)
    with pytest.raises(ExportExpired):
        await office.download(request)
    await ring(office.app, FORGET_EXPORT)
    assert (await office.read(request)).status is RequestStatus.EXPIRED
    assert await sealed(office.app, request) == (False, False)
    with pytest.raises(ExportExpired):
        await office.download(request)
    await office.hand_in(request, "booking")  # too late: nothing is kept
    async with office.app.db.begin(office.organization) as tx:
        assert await store.list_parts(tx, request.id) == {}


async def test_an_erased_guests_exports_go_with_the_rest(office: Office) -> None:
    ready, other = await office.ask(RequestKind.EXPORT), await office.ask(RequestKind.EXPORT, email=OWNER)
    for request in (ready, other):
        await office.hand_in(request, *OTHERS, word="her words")
    running = await office.ask(RequestKind.EXPORT)
    assert running.id != ready.id
    erasure = await office.ask(RequestKind.ERASE)
    for request in (ready, running):
        with pytest.raises(ExportExpired):
            await office.download(request)
        assert await sealed(office.app, request) == (False, False)
    await office.hand_in(running, *OTHERS, word="too late")
    between = await office.ask(RequestKind.EXPORT)  # before all have erased her
    await office.hand_in(between, *OTHERS, word="her words")
    assert (await office.download(between))["booking.json"]
    await give(office.app, *(receipt(erasure, service) for service in OTHERS))
    with pytest.raises(ExportExpired):
        await office.download(between)
    async with office.app.db.begin(office.organization) as tx:
        kept = [await store.list_parts(tx, each.id) for each in (ready, running, between)]
    assert kept == [{}, {}, {}]
    assert (await office.download(other))["booking.json"]
    for timer in await timers.scheduled(office.app.db):
        await TIMERS[timer.kind](office.app, timer)
    assert [(await office.read(each)).status for each in (ready, running, between)] == [
        RequestStatus.EXPIRED
    ] * 3


async def test_the_exports_of_an_account_go_with_it(office: Office, people: People) -> None:
    odette = await hire(people, office.owner, "odette@example.org")
    assert odette.user is not None
    ready = await privacy_wishes.export_account(office.app, odette.user, by=by(odette))
    for service in OTHERS:
        await privacy.take_part(office.app, None, ready.id, service, b"{}")
    running = await privacy_wishes.export_account(office.app, odette.user, by=by(odette))
    await leaving.delete_account(office.app, odette.user, by=by(odette))
    async with office.app.db.begin_platform(reason="look into the database in a test") as tx:
        assert [await store.list_parts(tx, each.id) for each in (ready, running)] == [{}, {}]
    for request in (ready, running):
        assert await sealed(office.app, request) == (False, False)


async def test_a_copy_of_the_documents_is_worth_nothing_without_the_key_of_the_request(
    office: Office,
) -> None:
    request, other = await office.ask(RequestKind.EXPORT), await office.ask(RequestKind.EXPORT, email=OWNER)
    async with office.app.db.begin(office.organization) as tx:
        parts = await store.list_parts(tx, request.id)
        sealed_key, _ = await store.get_secrets(tx, other.id)
    assert sealed_key is not None
    with pytest.raises(SealBroken):
        privacy.opened_key(office.app, other.id, sealed_key).open_up(parts["auth"], bound_to=b"auth")
    with pytest.raises(SealBroken):
        privacy.opened_key(office.app, request.id, sealed_key)


async def test_other_organizations_see_read_and_hand_in_nothing(office: Office, people: People) -> None:
    request = await office.ask(RequestKind.EXPORT)
    await people.own("marcel@example.org")
    stranger = Office(office.app, await log_in(people, "marcel@example.org"))
    for attempt in (stranger.read(request), stranger.download(request), stranger.hand_in(request, "booking")):
        with pytest.raises(PrivacyRequestNotFound):
            await attempt
    with pytest.raises(PrivacyRequestNotFound):
        await privacy.find_subject(office.app, stranger.organization, request.id)
    page = Page(50, None, "")
    assert await privacy_wishes.list_requests(office.app, stranger.organization, page) == ([], "")
    for table in ("privacy_requests", "privacy_receipts", "privacy_parts"):
        async with office.app.db.begin(stranger.organization) as tx:
            assert (await tx.execute(sa.text(f"SELECT * FROM {table}"))).all() == []  # noqa: S608
        async with office.app.db.begin(office.organization) as tx:
            assert len((await tx.execute(sa.text(f"SELECT * FROM {table}"))).all()) == 1  # noqa: S608


async def test_the_log_says_who_asked_and_that_it_ended_and_never_about_whom(office: Office) -> None:
    request = await office.ask(RequestKind.EXPORT)
    await office.hand_in(request, *OTHERS)
    await office.download(request)
    async with office.app.db.begin(office.organization) as tx:
        entries = await audit.list_entries(tx, office.organization)
    about = [each for each in entries if each.target == ids.show("prq", request.id)]
    assert [(each.action, each.actor_id) for each in about] == [
        (Action.PRIVACY_REQUESTED, office.owner.user),
        (Action.PRIVACY_COMPLETED, None),
        (Action.PRIVACY_EXPORT_DOWNLOADED, office.owner.user),
    ]
    again = await office.ask(RequestKind.ERASE)
    async with office.app.db.begin(office.organization) as tx:
        entries = await audit.list_entries(tx, office.organization)
    (said,) = [each.after for each in entries if each.target == ids.show("prq", again.id)]
    assert said is not None
    assert about[0].after is not None
    assert said["subject"] == about[0].after["subject"]  # the same guest is recognised, and not named


async def test_a_person_gets_everything_about_their_account_and_no_secret(
    office: Office, people: People
) -> None:
    user = office.owner.user
    assert user is not None
    request = await privacy_wishes.export_account(office.app, user, by=by(office.owner))
    again = await privacy_wishes.export_account(office.app, user, by=by(office.owner))
    assert again.id == request.id
    for service in OTHERS:
        await privacy.take_part(office.app, None, request.id, service, b"{}")
    archive = await privacy_wishes.download(
        office.app, request.id, organization=None, user_id=user, by=by(office.owner)
    )
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        told = json.loads(opened.read("auth.json"))
    assert told["users"][0]["email"] == OWNER
    assert {each["organization_id"] for each in told["memberships"]} == {str(office.organization)}
    assert told["sessions"][0]["address"] == PLACE
    assert told["audit_entries"]
    assert not {"password_hash", "salt", "token_hash"} & {
        name for rows in told.values() for row in rows for name in row
    }
    listed = (await privacy_wishes.list_own_exports(office.app, user, WHOLE))[0]
    assert [each.id for each in listed] == [request.id]
    await people.own("marcel@example.org")
    stranger = (await log_in(people, "marcel@example.org")).user
    for organization, caller in ((None, stranger), (office.organization, None)):
        with pytest.raises(PrivacyRequestNotFound):
            await privacy_wishes.download(
                office.app, request.id, organization=organization, user_id=caller, by=by(office.owner)
            )
    assert (await privacy_wishes.list_own_exports(office.app, stranger or ids.new(), WHOLE))[0] == []
    (told_others,) = await announced(office.app)
    assert told_others.user_id == ids.show("usr", user)


async def test_deleting_an_account_has_all_services_forget_it_and_keeps_their_receipts(
    app: App, people: People
) -> None:
    await people.own(OWNER)
    organization = await people.own("marcel@example.org")
    owner = await log_in(people, "marcel@example.org")
    # Somebody who owns nothing alone: a host of another organization, who never had one.
    session = await people.session(await people.log_in(OWNER))
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        await tx.execute(
            sa.text("UPDATE memberships SET role = 'host' WHERE user_id = :u"), {"u": session.user_id}
        )
    await leaving.delete_account(app, session.user_id, by=Author(ActorKind.USER, session.user_id))
    (told,) = await announced(app)
    assert isinstance(told, events_pb2.ErasureRequested)
    assert told.user_id == ids.show("usr", session.user_id)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        request = await store.get_request(tx, ids.parse("prq", told.request_id, PrivacyRequestNotFound))
    assert request is not None
    assert request.organization_id is None
    await give(app, *(receipt(request, service) for service in OTHERS))
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        ended = await store.get_request(tx, request.id)
        chain = [each.action for each in await audit.list_entries(tx, PLATFORM_CHAIN)]
    assert ended is not None
    assert ended.status is RequestStatus.COMPLETED
    went = {"users": 1, "memberships": 1, "sessions": 1, "invitations": 0, "registrations": 1}
    assert dict(ended.receipts[0].rows) == went
    assert Action.PRIVACY_COMPLETED in chain
    assert owner.tenant == organization
    assert set(SERVICES) == {each.service for each in ended.receipts}
