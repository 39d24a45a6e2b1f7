"""Whose an Idempotency-Key is: one answer for what keeps answers and for what ties its effect to the key."""

from dataclasses import replace

import pytest

from comptoir.api.v1 import policy_pb2
from comptoir.auth.v1 import factor_pb2
from comptoir.booking.v1 import booking_pb2
from servicekit import contract, idempotency, ids
from servicekit.answers import Slot
from servicekit.contract import Rpc
from servicekit.database import Database
from servicekit.identity import Caller
from testkit.callers import anonymous, integration, member, operator, visitor

CANCEL = contract.rpcs()["/comptoir.booking.v1.BookingService/CancelBooking"]
BOOK = contract.rpcs()["/comptoir.booking.v1.BookingService/CreateBooking"]
ANSWER = contract.rpcs()["/comptoir.auth.v1.ChallengeService/AnswerChallenge"]
OF_ANYBODY = [
    rpc
    for rpc in contract.rpcs().values()
    if rpc.policy
    and rpc.policy.idempotency_key
    and rpc.policy.audience not in {policy_pb2.AUDIENCE_MEMBER, policy_pb2.AUDIENCE_PLATFORM}
]
"""What honours a key of callers who are nobody in particular."""


def strangers_to_each_other(somebody: Caller) -> list[Caller]:
    """Beside a member, whoever else may think of their key: in their organization, elsewhere, nowhere."""
    home = somebody.tenant
    elsewhere = (member(ids.new()), integration(ids.new()), replace(somebody, organization=ids.new()))
    return [
        somebody,
        member(home),
        integration(home),
        integration(home),
        visitor(home),
        *elsewhere,
        operator(),
        anonymous(),
    ]


async def test_what_ties_its_effect_to_a_key_asks_whose_it_is_in_the_same_words(db: Database) -> None:
    asked = booking_pb2.CreateBookingRequest(venue_id="ven_1")
    organization = ids.new()
    callers = strangers_to_each_other(member(organization))
    slots = [Slot.of(BOOK, each, asked, "k") for each in callers]
    assert len({slot.for_effect.text for slot in slots}) == len(callers)
    made = [ids.new() for _ in callers]
    async with db.begin(organization) as tx:
        first = [
            await idempotency.claim(tx, slot.for_effect, each) for slot, each in zip(slots, made, strict=True)
        ]
        again = [await idempotency.claim(tx, slot.for_effect, ids.new()) for slot in slots]
    assert first == [None] * len(callers)
    assert again == made


def test_a_key_goes_on_being_of_who_signed_in_anew_or_rotated_their_api_key() -> None:
    person, partner = member(ids.new()), integration(ids.new())
    for before, after in (
        (person, replace(person, session=ids.new(), authenticated_at=1, role="manager")),
        (partner, replace(partner, permissions=frozenset())),
    ):
        first, second = (Slot.of(CANCEL, each, CANCEL.request(), "k") for each in (before, after))
        assert first == second
        assert first.for_effect == second.for_effect


def test_strangers_with_one_key_and_other_things_in_mind_do_not_meet() -> None:
    def slot(venue: str, party: int = 2) -> Slot:
        return Slot.of(
            BOOK, anonymous(), booking_pb2.CreateBookingRequest(venue_id=venue, party_size=party), "1"
        )

    assert slot("ven_1").key != slot("ven_2").key
    assert slot("ven_1").key == slot("ven_1", 3).key
    assert slot("ven_1").fingerprint != slot("ven_1", 3).fingerprint
    assert slot("ven_1").for_effect.text != slot("ven_2").for_effect.text
    assert slot("ven_1").for_effect.text == slot("ven_1", 3).for_effect.text
    assert slot("ven_1").for_effect.fingerprint != slot("ven_1", 3).for_effect.fingerprint


@pytest.mark.parametrize("rpc", OF_ANYBODY, ids=lambda rpc: rpc.method.name)
def test_whatever_strangers_may_call_with_a_key_says_whose_the_call_is(rpc: Rpc) -> None:
    """By one text of the request; and what comes beside it is still another request under the same key."""
    texts = [each.name for each in rpc.method.input_type.fields if each.type == each.TYPE_STRING]
    slots = {
        name: [Slot.of(rpc, anonymous(), rpc.request(**{name: said}), "1") for said in "ab"] for name in texts
    }
    naming = [name for name, (one, other) in slots.items() if one.key != other.key]
    assert len(naming) == 1
    assert all(one.fingerprint != other.fingerprint for one, other in slots.values())


def test_who_tries_two_codes_under_one_key_is_told_so() -> None:
    first, second = (
        Slot.of(ANSWER, anonymous(), factor_pb2.AnswerChallengeRequest(challenge="c", code=code), "1")
        for code in ("000000", "000001")
    )
    assert first.key == second.key
    assert first.fingerprint != second.fingerprint
