"""Answers are kept with their effect: each call with a key is done once, and its repetitions answer alike."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from google.protobuf.message import Message

from comptoir.auth.v1 import account_pb2
from comptoir.booking.v1 import booking_pb2
from servicekit import contract, held, ids
from servicekit.answers import Answered, Answers, Slot
from servicekit.database import Database, Transaction
from servicekit.errors import (
    RETRY_AFTER,
    AppError,
    IdempotencyKeyInFlight,
    IdempotencyKeyReused,
    PlanLimitReached,
    Unavailable,
)
from servicekit.identity import Caller
from servicekit.settings import DatabaseSettings
from testkit.callers import anonymous, integration, member, visitor

CANCEL = contract.rpcs()["/comptoir.booking.v1.BookingService/CancelBooking"]
LOG_IN = contract.rpcs()["/comptoir.auth.v1.AccountService/LogIn"]
_COUNT = "SELECT count(*) FROM notes"
_MANY = 12


def request(reason: str = "ill") -> booking_pb2.CancelBookingRequest:
    return booking_pb2.CancelBookingRequest(booking_id="bkg_1", reason=reason)


@dataclass
class Diary:
    """Work whose effect is a note, and whose answer names it."""

    db: Database
    organization: UUID = field(default_factory=ids.new)
    caller: Caller = field(init=False)
    done: int = 0
    secret: str = "of-the-link-5fd1"  # of no link

    def __post_init__(self) -> None:
        self.caller = member(self.organization)
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def work(self) -> Message:
        self.done += 1
        note = ids.new()
        async with self.db.begin(self.organization) as tx:
            await write(tx, self.organization, note)
        await self.go_on.wait()
        return booking_pb2.CancelBookingResponse(booking=booking_pb2.Booking(id=str(note), notes=self.secret))

    async def ask(
        self, text: str = "k", *, asked: Message | None = None, caller: Caller | None = None
    ) -> Answered:
        slot = Slot.of(CANCEL, caller or self.caller, asked or request(), text)
        return await Answers(self.db).answer(CANCEL, slot, self.work)

    async def notes(self) -> int:
        async with self.db.begin_platform(reason="count in a test") as tx:
            found: int = (await tx.execute(sa.text(_COUNT))).scalar_one()
        return found


async def write(tx: Transaction, organization: UUID, note: UUID) -> None:
    await tx.execute(
        sa.text("INSERT INTO notes (organization_id, id, text) VALUES (:organization, :id, 'x')"),
        {"organization": organization, "id": note},
    )


@pytest.fixture
def diary(db: Database) -> Diary:
    return Diary(db)


async def test_a_repetition_is_answered_alike_and_has_no_effect(diary: Diary) -> None:
    first, second = await diary.ask(), await diary.ask()
    assert (first.replayed, second.replayed) == (False, True)
    assert first.message == second.message
    assert (diary.done, await diary.notes()) == (1, 1)


async def test_of_many_at_once_one_has_an_effect(diary: Diary) -> None:
    found = await asyncio.gather(*(diary.ask() for _ in range(_MANY)), return_exceptions=True)
    answered = [each for each in found if isinstance(each, Answered)]
    refused = [each for each in found if not isinstance(each, Answered)]
    assert await diary.notes() == diary.done == 1
    assert [each.replayed for each in answered].count(False) == 1
    assert len({each.message.SerializeToString() for each in answered}) == 1
    assert all(isinstance(each, IdempotencyKeyInFlight) for each in refused)
    assert (await diary.ask()).replayed


async def test_control_without_the_claim_each_has_its_effect(diary: Diary) -> None:
    await asyncio.gather(*(diary.work() for _ in range(_MANY)))
    assert await diary.notes() == _MANY


async def test_while_the_first_is_at_work_others_are_told_to_come_again(diary: Diary) -> None:
    diary.go_on.clear()
    first = asyncio.create_task(diary.ask())
    while not diary.done:  # noqa: ASYNC110  # no sleeping: it is a step of the loop away
        await asyncio.sleep(0)
    with pytest.raises(IdempotencyKeyInFlight) as refusal:
        await diary.ask()
    assert refusal.value.metadata[RETRY_AFTER] == "1"
    assert await diary.notes() == 0  # committed together with the answer, not before
    diary.go_on.set()
    assert not (await first).replayed
    assert (await diary.ask()).replayed
    assert await diary.notes() == 1


async def test_another_request_with_the_key_is_refused(diary: Diary) -> None:
    await diary.ask()
    with pytest.raises(IdempotencyKeyReused):
        await diary.ask(asked=request("late"))
    assert await diary.notes() == 1


async def test_a_key_is_of_its_caller_alone(diary: Diary) -> None:
    """Of the person, the organization, the API key, the operator who is inside."""
    home, elsewhere = diary.organization, ids.new()
    keys = integration(home), integration(home), integration(elsewhere)
    callers = (diary.caller, member(home), member(elsewhere), visitor(home), *keys, anonymous())
    answers = [await diary.ask(caller=each, asked=request(str(at))) for at, each in enumerate(callers)]
    assert not any(each.replayed for each in answers)
    assert await diary.notes() == len(callers)


async def test_a_claim_that_a_dead_process_left_is_taken_over(diary: Diary) -> None:
    diary.go_on.clear()
    slow = asyncio.create_task(diary.ask())
    while not diary.done:  # noqa: ASYNC110
        await asyncio.sleep(0)
    async with diary.db.begin_platform(reason="let a claim run out in a test") as tx:
        await tx.execute(
            sa.text("UPDATE answers SET claimed_until = clock_timestamp() - interval '1 second'")
        )
    with pytest.raises(IdempotencyKeyReused):
        await diary.ask(asked=request("late"))
    diary.go_on.set()
    second = asyncio.create_task(diary.ask())
    found = await asyncio.gather(slow, second, return_exceptions=True)
    assert len([each for each in found if isinstance(each, Answered)]) >= 1
    assert await diary.notes() == 1


async def test_who_lost_the_claim_undoes_what_it_did(diary: Diary) -> None:
    diary.go_on.clear()
    slow = asyncio.create_task(diary.ask())
    while not diary.done:  # noqa: ASYNC110
        await asyncio.sleep(0)
    async with diary.db.begin_platform(reason="give a claim to somebody else in a test") as tx:
        await tx.execute(sa.text("UPDATE answers SET claim = gen_random_uuid()"))
    diary.go_on.set()
    with pytest.raises(IdempotencyKeyInFlight):
        await slow
    assert await diary.notes() == 0


async def test_a_crash_leaves_neither_effect_nor_answer(
    diary: Diary, database_settings: DatabaseSettings
) -> None:
    """The database goes away between effect and answer: both are undone, and it may be asked again."""
    killer = await asyncpg.connect(database_settings.url.get_secret_value())

    async def work() -> Message:
        async with diary.db.begin(diary.organization) as tx:
            await write(tx, diary.organization, ids.new())
            pid = (await tx.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
        assert await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
        return booking_pb2.CancelBookingResponse()

    slot = Slot.of(CANCEL, diary.caller, request(), "k")
    with pytest.raises(Unavailable):
        await Answers(diary.db).answer(CANCEL, slot, work)
    await killer.close()
    assert await diary.notes() == 0
    assert not (await diary.ask()).replayed
    assert await diary.notes() == 1


async def test_a_caller_who_leaves_leaves_nothing_behind(diary: Diary) -> None:
    diary.go_on.clear()
    gone = asyncio.create_task(diary.ask())
    while not diary.done:  # noqa: ASYNC110
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    diary.go_on.set()
    assert await diary.notes() == 0
    assert not (await diary.ask()).replayed


@pytest.mark.parametrize(("refusal", "kept"), [(PlanLimitReached(), 1), (Unavailable(), 0)])
async def test_nothing_is_kept_of_a_refusal(diary: Diary, refusal: AppError, kept: int) -> None:
    """What it wrote stays, like tries that are counted; unless it says nothing about the request."""

    async def refuse() -> Message:
        await diary.work()
        raise refusal

    slot = Slot.of(CANCEL, diary.caller, request(), "k")
    for attempt in (1, 2):
        with pytest.raises(type(refusal)):
            await Answers(diary.db).answer(CANCEL, slot, refuse)
        assert await diary.notes() == kept * attempt
    assert not (await diary.ask()).replayed


async def test_what_is_kept_opens_with_key_and_request_alone(diary: Diary) -> None:
    asked = account_pb2.LogInRequest(email="ada@example.com", password="correct horse")
    slot = Slot.of(LOG_IN, anonymous(), asked, "a-key-of-a-client")
    await Answers(diary.db).answer(CANCEL, slot, diary.work)
    async with diary.db.begin_platform(reason="look into the table in a test") as tx:
        row = (await tx.execute(sa.text("SELECT * FROM answers"))).one()
    told = b"".join(bytes(each) for each in row if isinstance(each, bytes | memoryview))
    for secret in (diary.secret, asked.password, asked.email, "a-key-of-a-client"):
        assert secret.encode() not in told
    assert diary.secret.encode() in slot.open(row.sealed)
    other = account_pb2.LogInRequest(email="ada@example.com", password="wrong")
    for stranger in (
        Slot.of(LOG_IN, anonymous(), asked, "another-key"),
        Slot.of(LOG_IN, anonymous(), other, "a-key-of-a-client"),
    ):
        assert stranger.fingerprint != slot.fingerprint
        with pytest.raises(InvalidTag):
            stranger.open(row.sealed)


async def test_after_a_day_a_key_is_new(diary: Diary) -> None:
    await diary.ask()
    async with diary.db.begin_platform(reason="let a day pass in a test") as tx:
        await tx.execute(sa.text("UPDATE answers SET created_at = created_at - interval '23 hours'"))
    assert (await diary.ask()).replayed
    async with diary.db.begin_platform(reason="let a day pass in a test") as tx:
        await tx.execute(sa.text("UPDATE answers SET created_at = created_at - interval '1 hour'"))
    assert not (await diary.ask(asked=request("late"))).replayed


async def test_transactions_of_one_call_commit_together(diary: Diary) -> None:
    """One that is given up takes nothing of the others with it; whoever is asked outside sees all before."""
    seen, woken = [], []

    async def work() -> Message:
        async with diary.db.begin(diary.organization) as tx:
            await write(tx, diary.organization, ids.new())
            tx.after_commit.append(lambda: woken.append("first"))
        with pytest.raises(sa.exc.IntegrityError):
            async with diary.db.begin(diary.organization) as tx:
                await write(tx, diary.organization, diary.organization)
                await write(tx, diary.organization, diary.organization)
        async with diary.db.begin(diary.organization) as tx:
            seen.append((await tx.execute(sa.text(_COUNT))).scalar_one())
        assert not woken
        async with diary.db.driver() as bare:  # who does not share the transaction
            seen.append(await bare.fetchval("SELECT xmin::text::bigint > 0 FROM answers"))
        assert woken == ["first"]
        async with diary.db.begin(diary.organization) as tx:
            await write(tx, diary.organization, ids.new())
        raise Unavailable

    slot = Slot.of(CANCEL, diary.caller, request(), "k")
    with pytest.raises(Unavailable):
        await Answers(diary.db).answer(CANCEL, slot, work)
    assert seen == [1, True]
    assert await diary.notes() == 1
    assert held.current() is None


async def test_a_transaction_within_another_is_its_own(diary: Diary) -> None:
    async def work() -> Message:
        async with diary.db.begin(diary.organization):
            async with diary.db.begin(diary.organization) as inner:
                await write(inner, diary.organization, ids.new())
            async with diary.db.begin(diary.organization) as looking:
                assert (await looking.execute(sa.text(_COUNT))).scalar_one() == 1
        return booking_pb2.CancelBookingResponse()

    slot = Slot.of(CANCEL, diary.caller, request(), "k")
    await Answers(diary.db).answer(CANCEL, slot, work)
    assert (await Answers(diary.db).answer(CANCEL, slot, work)).replayed
