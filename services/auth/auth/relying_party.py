"""WebAuthn Level 3 as the relying party: what browsers are asked, and whether answers hold. Keeps nothing.

Every passkey is discoverable and verifies its person (PIN, fingerprint, face), so it stands for two factors.
"""

import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from auth.settings import WebAuthnSettings

_NAME = "Comptoir"
_ALGORITHMS = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
# What the library lets through from the encodings below it, besides its own exceptions.
_UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError)


class Unacceptable(Exception):
    """The answer does not hold. Its text is for the log of a test at most: it may repeat what was sent."""


@dataclass(frozen=True, slots=True)
class MadePasskey:
    """What a browser made, once its answer proved right."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class UsedPasskey:
    """What an authenticator says of itself by an answer that proved right."""

    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says before any of it is proved: only good for looking up what it must be held to."""

    challenge: bytes
    credential_id: bytes
    user_handle: bytes | None


class RelyingParty:
    """The site that passkeys are made for."""

    def __init__(self, settings: WebAuthnSettings) -> None:
        self._rp_id = settings.rp_id
        self._origins = list(settings.origins)

    def creation_options(
        self,
        challenge: bytes,
        *,
        user_handle: bytes,
        email: str,
        name: str,
        present: Sequence[tuple[bytes, Sequence[str]]],
        lifetime: timedelta,
    ) -> str:
        """What a browser needs to make a passkey, as JSON. `present`: id and transports of each there is."""
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=_NAME,
            user_id=user_handle,
            user_name=email,
            user_display_name=name,
            challenge=challenge,
            timeout=_milliseconds(lifetime),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(
                    id=credential_id, transports=[AuthenticatorTransport(each) for each in transports]
                )
                for credential_id, transports in present
            ],
            supported_pub_key_algs=_ALGORITHMS,
        )
        return webauthn.options_to_json(options)

    def request_options(self, challenge: bytes, *, lifetime: timedelta) -> str:
        """What a browser needs to use whichever passkey its authenticator has for us, as JSON."""
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=_milliseconds(lifetime),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    def read(self, answer: str) -> Answer:
        """What an answer claims.

        Raises:
            Unacceptable: it cannot be read.
        """
        try:
            content = json.loads(answer)
            response = content["response"]
            client_data = parse_client_data_json(base64url_to_bytes(response["clientDataJSON"]))
            if client_data.cross_origin:
                raise Unacceptable  # none of our pages is shown in a frame of somebody else's
            handle = response.get("userHandle")
            return Answer(
                client_data.challenge,
                base64url_to_bytes(content["rawId"]),
                base64url_to_bytes(handle) if handle else None,
            )
        except (*_UNREADABLE, AttributeError, binascii.Error) as error:
            raise Unacceptable from error

    def verify_made(self, answer: str, *, challenge: bytes) -> MadePasskey:
        """The passkey that a browser made for this challenge (WebAuthn Level 3 §7.1).

        Attestation is not asked for, and one that comes anyway need only fit: any authenticator may be used.

        Raises:
            Unacceptable: another challenge, site or algorithm, an unverified person, or unreadable.
        """
        try:
            made = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
                supported_pub_key_algs=_ALGORITHMS,
            )
            said = json.loads(answer)["response"].get("transports") or []
            known = {each.value for each in AuthenticatorTransport}
            transports = tuple(sorted(known.intersection(each for each in said if isinstance(each, str))))
        except (*_UNREADABLE, AttributeError) as error:
            raise Unacceptable from error
        return MadePasskey(
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            transports=transports,
            backup_eligible=made.credential_device_type == "multi_device",
            backed_up=made.credential_backed_up,
        )

    def verify_used(
        self, answer: str, *, challenge: bytes, public_key: bytes, sign_count: int, backup_eligible: bool
    ) -> UsedPasskey:
        """What an authenticator signed for this challenge (WebAuthn Level 3 §7.2).

        Raises:
            Unacceptable: not signed by the passkey, another challenge or site, an unverified person,
                a counter that did not move on (a copy), other backup eligibility, or unreadable.
        """
        try:
            used = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=public_key,
                credential_current_sign_count=sign_count,
                require_user_verification=True,
            )
        except (*_UNREADABLE, AttributeError) as error:
            raise Unacceptable from error
        if (used.credential_device_type == "multi_device") is not backup_eligible:
            raise Unacceptable
        return UsedPasskey(used.new_sign_count, used.credential_backed_up)


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
