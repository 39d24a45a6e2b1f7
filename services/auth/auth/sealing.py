"""Secrets at rest, bound to their row: AES-256-GCM if they have to be read again, keyed hashes if not."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class SealBroken(Exception):
    """Sealed with another key, for another row, or tampered with. A defect or an attack, never a refusal."""


class Seal:
    """Seals and opens secrets with one key. What was sealed for one row does not open for another."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 random bytes."""
        self._cipher = AESGCM(key)
        self._digest_key = hmac.digest(key, b"comptoir keyed hashes 1", hashlib.sha256)

    def close_up(self, secret: bytes, *, bound_to: bytes) -> bytes:
        """The sealed secret: a fresh nonce, then ciphertext and tag. `bound_to` names kind and row."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, bound_to)

    def open_up(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """The secret.

        Raises:
            SealBroken: it cannot be opened.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
        except InvalidTag as error:
            raise SealBroken from error

    def digest(self, secret: bytes, *, bound_to: bytes) -> bytes:
        """A hash of a random secret that only has to be recognised: HMAC-SHA256, no use without our key."""
        return hmac.digest(self._digest_key, bound_to + b"\x00" + secret, hashlib.sha256)
