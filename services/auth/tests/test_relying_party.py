"""Answers of passkeys by the rules alone, made by a software authenticator."""

import json
from datetime import timedelta
from typing import Any

import pytest

from auth.relying_party import RelyingParty, Unacceptable
from auth.settings import WebAuthnSettings
from testkit.authenticator import Authenticator, decode, encode

HERE = RelyingParty(WebAuthnSettings(rp_id="example.org", origins=("https://book.example.org",)))
CHALLENGE = bytes(range(32))
LIFETIME = timedelta(seconds=300)
USER = b"0123456789abcdef"


def creation(challenge: bytes = CHALLENGE) -> str:
    return HERE.creation_options(
        challenge,
        user_handle=USER,
        email="paulette@example.org",
        name="Paulette",
        present=[(b"another", ("internal",))],
        lifetime=LIFETIME,
    )


def request(challenge: bytes = CHALLENGE) -> str:
    return HERE.request_options(challenge, lifetime=LIFETIME)


def test_browsers_are_asked_for_discoverable_passkeys_that_verify_their_person() -> None:
    asked = json.loads(creation())
    assert asked["rp"] == {"id": "example.org", "name": "Comptoir"}
    assert asked["user"] == {
        "id": encode(USER),
        "name": "paulette@example.org",
        "displayName": "Paulette",
    }
    assert decode(asked["challenge"]) == CHALLENGE
    selection = asked["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert selection["requireResidentKey"] is True
    assert asked["attestation"] == "none"
    assert asked["timeout"] == 300_000
    assert [decode(each["id"]) for each in asked["excludeCredentials"]] == [b"another"]
    used = json.loads(request())
    assert (used["rpId"], used["userVerification"]) == ("example.org", "required")
    assert used.get("allowCredentials", []) == []


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
@pytest.mark.parametrize("synchronized", [True, False])
def test_a_passkey_is_made_and_used(algorithm: Any, *, synchronized: bool) -> None:
    device = Authenticator(algorithm, synchronized=synchronized, counts=not synchronized)
    made = HERE.verify_made(device.create(creation()), challenge=CHALLENGE)
    assert made.credential_id == device.credential_id
    assert made.transports == ("hybrid", "internal")
    assert made.backup_eligible is made.backed_up is synchronized
    answer = device.use(request())
    claimed = HERE.read(answer)
    assert (claimed.challenge, claimed.credential_id, claimed.user_handle) == (
        CHALLENGE,
        device.credential_id,
        USER,
    )
    used = HERE.verify_used(
        answer,
        challenge=CHALLENGE,
        public_key=made.public_key,
        sign_count=made.sign_count,
        backup_eligible=made.backup_eligible,
    )
    assert (used.sign_count, used.backed_up) == (0 if synchronized else 1, synchronized)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (Authenticator(verifies=False), {}),
        (Authenticator(origin="https://book.example.org.evil.example"), {}),
        (Authenticator(origin="http://book.example.org"), {}),
        (Authenticator(), {"type": "webauthn.get"}),
        (Authenticator(), {"challenge": encode(bytes(32))}),
    ],
    ids=["unverified person", "another site", "without TLS", "a use", "another challenge"],
)
def test_what_must_not_become_a_passkey(device: Authenticator, said: dict[str, Any]) -> None:
    with pytest.raises(Unacceptable):
        HERE.verify_made(device.create(creation(), **said), challenge=CHALLENGE)


def test_a_passkey_made_for_another_domain_is_refused() -> None:
    elsewhere = json.loads(creation())
    elsewhere["rp"]["id"] = "evil.example"
    with pytest.raises(Unacceptable):
        HERE.verify_made(Authenticator().create(json.dumps(elsewhere)), challenge=CHALLENGE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verifies": False}, {}),
        ({"origin": "https://evil.example"}, {}),
        ({"rp_id": "book.example.org"}, {}),
        ({"count": 3}, {}),
        ({"synchronized": True}, {}),
        ({}, {"type": "webauthn.create"}),
        ({}, {"challenge": encode(bytes(32))}),
    ],
    ids=[
        "unverified person",
        "another site",
        "another domain",
        "counter",
        "eligibility",
        "kind",
        "challenge",
    ],
)
def test_what_must_not_open_an_account(change: dict[str, Any], said: dict[str, Any]) -> None:
    device = Authenticator()
    made = HERE.verify_made(device.create(creation()), challenge=CHALLENGE)
    for name, value in change.items():
        setattr(device, name, value)
    asked = json.loads(request())
    asked["rpId"] = device.rp_id
    with pytest.raises(Unacceptable):
        HERE.verify_used(
            device.use(json.dumps(asked), **said),
            challenge=CHALLENGE,
            public_key=made.public_key,
            sign_count=4 if "count" in change else 0,
            backup_eligible=False,
        )


def test_a_signature_of_another_key_is_refused() -> None:
    device, thief = Authenticator(), Authenticator()
    made = HERE.verify_made(device.create(creation()), challenge=CHALLENGE)
    thief.rp_id, thief.user_handle, thief.credential_id = "example.org", USER, device.credential_id
    with pytest.raises(Unacceptable):
        HERE.verify_used(
            thief.use(request()),
            challenge=CHALLENGE,
            public_key=made.public_key,
            sign_count=0,
            backup_eligible=False,
        )


def test_no_passkey_is_used_in_a_frame_of_another_site() -> None:
    device = Authenticator(cross_origin=True)
    with pytest.raises(Unacceptable):
        HERE.read(device.create(creation()))


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 10_000,
        '{"response": 7}',
        '{"rawId": 7, "response": {"clientDataJSON": 7}}',
        '{"rawId": "é", "response": {"clientDataJSON": "e30"}}',
        json.dumps({"rawId": "AA", "response": {"clientDataJSON": encode(b'"challenge"')}}),
        json.dumps(
            {"rawId": "AA", "response": {"clientDataJSON": encode(b'{"type":1,"challenge":2,"origin":3}')}}
        ),
    ],
)
def test_nonsense_is_refused_and_never_a_defect(nonsense: str) -> None:
    with pytest.raises(Unacceptable):
        HERE.read(nonsense)
    with pytest.raises(Unacceptable):
        HERE.verify_made(nonsense, challenge=CHALLENGE)
    with pytest.raises(Unacceptable):
        HERE.verify_used(
            nonsense, challenge=CHALLENGE, public_key=b"\xa0", sign_count=0, backup_eligible=False
        )


@pytest.mark.parametrize("part", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("bent", [b"", b"\xff" * 40, b"\xbf" * 4000, b"\xa0"])
def test_bent_parts_are_refused_and_never_a_defect(part: str, bent: bytes) -> None:
    answer = json.loads(Authenticator().create(creation()))
    answer["response"][part] = encode(bent)
    with pytest.raises(Unacceptable):
        HERE.verify_made(json.dumps(answer), challenge=CHALLENGE)
