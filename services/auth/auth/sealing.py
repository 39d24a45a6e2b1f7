"""Encrypts secrets at rest that have to be read again: AES-256-GCM, bound to the row they belong to."""

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
