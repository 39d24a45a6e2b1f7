"""Encrypts signing secrets at rest: AES-256-GCM, bound to the endpoint they belong to."""

import os
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Seal:
    """Seals and opens secrets with one key. A sealed secret of one endpoint does not open for another."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 random bytes."""
        self._cipher = AESGCM(key)

    def close_up(self, secret: str, *, organization: UUID, endpoint: UUID) -> bytes:
        """The sealed secret: a fresh nonce, then ciphertext and tag."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), organization.bytes + endpoint.bytes)

    def open_up(self, sealed: bytes, *, organization: UUID, endpoint: UUID) -> str:
        """The secret.

        Raises:
            InvalidTag: sealed with another key, for another endpoint, or tampered with.
        """
        bound = organization.bytes + endpoint.bytes
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound).decode()
