"""The test vectors of WebAuthn Level 3, section 16: what holds, and what we ask beyond that."""

import json

import pytest
import webauthn
from webauthn.helpers import parse_attestation_object

from auth.relying_party import RelyingParty, Unacceptable
from auth.settings import WebAuthnSettings
from testkit.authenticator import encode

HERE = RelyingParty(WebAuthnSettings(rp_id="example.org", origins=("https://example.org",)))

CROSS_ORIGIN_DATA = (
    '{"type":"webauthn.create","challenge":"O-WqzQNTcUJHI0CrWWnyQPHYdxbiC2gHrCMGVfpLO0k",'
    '"origin":"https://example.org","crossOrigin":true,"extraData":"clientDataJSON may be extended with '
    'additional fields in the future, such as this: zZquEtDR9DWqpW5tBWTFug"}'
)
# Section 16: the ids of the examples, the challenges, and what authenticator and client answered.
NONE_ES256 = {
    "challenge": "00c30fb78531c464d2b6771dab8d7b603c01162f2fa486bea70f283ae556e130",
    "credential": "f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4",
    "extra": "BkQeDjdcTBrXBiAwJTLE5Q",
    "attestation": (
        "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735a"
        "e7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70"
        "189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20d"
        "b90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b"
        "9220"
    ),
    "asserted": "39c0e7521417ba54d43e8dc95174f423dee9bf3cd804ff6d65c857c9abf4d408",
    "data": "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000",
    "asserted_extra": "",
    "signature": (
        "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b935381"
        "74f575bf11a1dd5d78c6e486013f937295ea13653e331e87"
    ),
}
SELF_ES256 = {
    "challenge": "7869c2b772d4b58eba9378cf8f29e26cf935aa77df0da89fa99c0bdc0a76f7e5",
    "credential": "455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58c",
    "extra": "U9hTXvKE2URkMnb_0xYHVg",
    "attestation": (
        "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf3780"
        "97c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f2202721"
        "78f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4"
        "b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a86"
        "5ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf1938"
        "43c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2"
    ),
    "asserted": "4478a10b1352348dd160c1353b0d469b5db19eb91c27f7dfa6fed39fe26af20b",
    "data": "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50900000000",
    "asserted_extra": "gTb53rz6EhSWomXGzimC1Q",
    "signature": (
        "304402203310b9431903c401f1be2bdc8d23a4007682dbbddcf846994947b7f465daf84002204e94dd00047b316061b3"
        "b99772b7efd95994a83ef584b3b6b825ea3550251b66"
    ),
}
ED25519_KEY = "a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832"
ED25519 = {
    "credential": "ce9f840ed96599580cd140fbc7bb3230633f50f61041aff73308ae71caa8a2bd",
    "asserted": "895957e01c633a698348a2d8a31a54b7db27e8c1c43b2080d79ae2190267bfd2",
    "data": "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50100000000",
    "asserted_extra": "",
    "signature": (
        "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fecb097"
        "d6607525713223a0dc0d453993dae00b"
    ),
}


def client_data(kind: str, challenge: str, extra: str) -> str:
    """As the vectors write it, byte by byte."""
    more = (
        ',"extraData":"clientDataJSON may be extended with additional fields in the future, such as this: '
        f'{extra}"'
        if extra
        else ""
    )
    shown = encode(bytes.fromhex(challenge))
    text = (
        f'{{"type":"webauthn.{kind}","challenge":"{shown}",'
        f'"origin":"https://example.org","crossOrigin":false{more}}}'
    )
    return encode(text.encode())


def published(vector: dict[str, str], response: dict[str, str]) -> str:
    shown = encode(bytes.fromhex(vector["credential"]))
    return json.dumps({"id": shown, "rawId": shown, "type": "public-key", "response": response})


def registration(vector: dict[str, str]) -> str:
    return published(
        vector,
        {
            "clientDataJSON": client_data("create", vector["challenge"], vector["extra"]),
            "attestationObject": encode(bytes.fromhex(vector["attestation"])),
        },
    )


def assertion(vector: dict[str, str]) -> str:
    return published(
        vector,
        {
            "clientDataJSON": client_data("get", vector["asserted"], vector["asserted_extra"]),
            "authenticatorData": encode(bytes.fromhex(vector["data"])),
            "signature": encode(bytes.fromhex(vector["signature"])),
        },
    )


def public_key(vector: dict[str, str]) -> bytes:
    if "attestation" not in vector:
        return bytes.fromhex(ED25519_KEY)
    made = parse_attestation_object(bytes.fromhex(vector["attestation"])).auth_data.attested_credential_data
    assert made is not None
    return made.credential_public_key


def test_the_published_registration_that_verifies_its_person_is_taken() -> None:
    """Section 16.3."""
    made = HERE.verify_made(registration(SELF_ES256), challenge=bytes.fromhex(SELF_ES256["challenge"]))
    assert made.credential_id.hex() == SELF_ES256["credential"]
    assert (made.backup_eligible, made.backed_up) == (True, True)


def test_the_published_registration_that_verifies_nobody_is_refused_for_that_alone() -> None:
    """Section 16.2."""
    challenge = bytes.fromhex(NONE_ES256["challenge"])
    with pytest.raises(Unacceptable) as refused:
        HERE.verify_made(registration(NONE_ES256), challenge=challenge)
    assert "User verification is required" in str(refused.value.__cause__)
    made = webauthn.verify_registration_response(
        credential=registration(NONE_ES256),
        expected_challenge=challenge,
        expected_rp_id="example.org",
        expected_origin="https://example.org",
    )
    assert made.credential_id.hex() == NONE_ES256["credential"]


def test_the_published_registration_of_a_frame_is_refused() -> None:
    """Section 16.4."""
    response = {"clientDataJSON": encode(CROSS_ORIGIN_DATA.encode())}
    with pytest.raises(Unacceptable) as refused:
        HERE.read(published(NONE_ES256, response))
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "vector", [NONE_ES256, SELF_ES256, ED25519], ids=["16.2 ES256", "16.3 ES256", "16.11 Ed25519"]
)
def test_the_published_signatures_hold_but_none_of_them_verifies_its_person(vector: dict[str, str]) -> None:
    challenge = bytes.fromhex(vector["asserted"])
    used = webauthn.verify_authentication_response(
        credential=assertion(vector),
        expected_challenge=challenge,
        expected_rp_id="example.org",
        expected_origin=["https://example.org"],
        credential_public_key=public_key(vector),
        credential_current_sign_count=0,
    )
    assert used.credential_id.hex() == vector["credential"]
    assert not used.user_verified
    with pytest.raises(Unacceptable) as refused:
        HERE.verify_used(
            assertion(vector),
            challenge=challenge,
            public_key=public_key(vector),
            sign_count=0,
            backup_eligible=vector is not ED25519,
        )
    assert "User verification is required" in str(refused.value.__cause__)
