"""An authenticator in software with the browser around it: real keys and signatures, attestation "none".

For tests of what a relying party must take and refuse: it does as it is told, also what no browser would do.
"""

import base64
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

_UP, _UV, _BE, _BS, _AT = 0x01, 0x04, 0x08, 0x10, 0x40
_ALGORITHMS = {"ES256": -7, "EdDSA": -8}


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(text: str) -> bytes:
    """The bytes of it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Unwilling(Exception):
    """No browser would do that with this authenticator; named as DOM exceptions are."""


@dataclass
class Authenticator:
    """Holds one discoverable credential, made by the first `create`."""

    algorithm: Literal["ES256", "EdDSA"] = "ES256"
    origin: str = "https://book.example.org"
    verifies: bool = True
    """Whether it verifies its person."""
    synchronized: bool = False
    count: int = 0
    """Of signatures; None of it is told when `counts` is off, as synchronized passkeys do."""
    counts: bool = True
    cross_origin: bool = False
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    rp_id: str = ""
    user_handle: bytes = b""

    def __post_init__(self) -> None:
        self._key = (
            ec.generate_private_key(ec.SECP256R1())
            if self.algorithm == "ES256"
            else ed25519.Ed25519PrivateKey.generate()
        )

    def create(self, options: str, **changed: Any) -> str:
        """What navigator.credentials.create(…).toJSON() answers. `changed`: parts of the client's data.

        Raises:
            Unwilling: it makes no such keys, or has one for this person.
        """
        asked = json.loads(options)
        if _ALGORITHMS[self.algorithm] not in [each["alg"] for each in asked["pubKeyCredParams"]]:
            raise Unwilling("NotSupportedError")
        if self.credential_id in [decode(each["id"]) for each in asked["excludeCredentials"]]:
            raise Unwilling("InvalidStateError")
        self.rp_id, self.user_handle = asked["rp"]["id"], decode(asked["user"]["id"])
        made = (
            os.urandom(16)
            + struct.pack(">H", len(self.credential_id))
            + self.credential_id
            + cbor2.dumps(self._public_key())
        )
        data = {"fmt": "none", "attStmt": {}, "authData": self._data(_AT) + made}
        return self._answer(
            {
                "clientDataJSON": encode(self._client_data("webauthn.create", asked["challenge"], changed)),
                "attestationObject": encode(cbor2.dumps(data)),
                "transports": ["internal", "hybrid", "telepathy"],
            }
        )

    def use(self, options: str, **changed: Any) -> str:
        """What navigator.credentials.get(…).toJSON() answers.

        Raises:
            Unwilling: it is asked for another site, or not to verify its person.
        """
        asked = json.loads(options)
        if asked["userVerification"] != "required" or asked["rpId"] != self.rp_id:
            raise Unwilling("NotAllowedError")
        self.count += 1
        client_data = self._client_data("webauthn.get", asked["challenge"], changed)
        data = self._data(0)
        return self._answer(
            {
                "clientDataJSON": encode(client_data),
                "authenticatorData": encode(data),
                "signature": encode(self._sign(data + hashlib.sha256(client_data).digest())),
                "userHandle": encode(self.user_handle),
            }
        )

    def _client_data(self, kind: str, challenge: str, changed: Mapping[str, Any]) -> bytes:
        said = {
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps(said | dict(changed)).encode()

    def _data(self, flags: int) -> bytes:
        flags |= _UP | (_UV if self.verifies else 0) | (_BE | _BS if self.synchronized else 0)
        told = self.count if self.counts else 0
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, told)

    def _public_key(self) -> dict[int, object]:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return {1: 1, 3: -8, -1: 6, -2: self._key.public_key().public_bytes_raw()}
        point = self._key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}

    def _sign(self, message: bytes) -> bytes:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, ec.ECDSA(SHA256()))

    def _answer(self, response: dict[str, object]) -> str:
        shown = encode(self.credential_id)
        answer = {
            "id": shown,
            "rawId": shown,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
        return json.dumps(answer)
