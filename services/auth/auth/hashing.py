"""Argon2id in a bounded pool of threads: never on the event loop; a flood is refused, not queued."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auth.settings import HashingSettings
from servicekit import held
from servicekit.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password fits, and its hash under today's parameters when the kept one is of weaker ones."""

    fits: bool
    stronger_hash: str | None = None


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(self, settings: HashingSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.passes, memory_cost=settings.memory_kib, parallelism=settings.lanes
        )
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="argon2")
        self._admitted = BoundedSemaphore(settings.workers + settings.waiting)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash in PHC format, salted.

        Raises:
            Unavailable: too many wait already.
        """
        return await self._run(lambda: self._hasher.hash(_canonical(password)))

    async def verify(self, kept: str | None, password: str) -> Verdict:
        """Whether the hash is of the password. None takes as long and never fits. Raises like `hash`."""
        return await self._run(lambda: self._verify(kept, password))

    def close(self) -> None:
        """Ends the threads once what they do is done."""
        self._pool.shutdown(cancel_futures=True)

    def _verify(self, kept: str | None, password: str) -> Verdict:
        try:
            self._hasher.verify(kept or self._nobody, _canonical(password))
        except (VerificationError, InvalidHashError):
            return Verdict(fits=False)
        if kept is None:
            return Verdict(fits=False)
        if self._hasher.check_needs_rehash(kept):
            return Verdict(fits=True, stronger_hash=self._hasher.hash(_canonical(password)))
        return Verdict(fits=True)

    async def _run(self, work: Callable[[], T]) -> T:
        await held.settle()  # tries that were counted are so before anybody hears whether they were right
        if not self._admitted.acquire(blocking=False):
            raise Unavailable
        future = self._pool.submit(work)
        # Given back when the thread is done with it, also when the caller has gone meanwhile.
        future.add_done_callback(lambda _: self._admitted.release())
        return await asyncio.wrap_future(future)


def _canonical(password: str) -> str:
    """The one spelling of characters that keyboards send in several (NFC, as RFC 8265 §4.2 asks).

    Nothing else is changed and nothing cut off (ASVS 5.0 6.2.8). NFKC, which NIST names, would make different
    characters equal.
    """
    return unicodedata.normalize("NFC", password)
