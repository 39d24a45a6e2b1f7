"""Limits on guessing. Every try is counted before the password or the second factor is looked at."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from auth.app import App
from auth.domain.accounts import ATTEMPTS, TooManyAttempts, attempt_key, known_attempt_key
from auth.domain.audit import Author
from auth.domain.challenges import TooManyFactorAttempts
from auth.domain.limits import Limit, network, place
from auth.hashing import Verdict
from auth.store import accounts as account_store
from auth.store import limits
from servicekit import deadline, held
from servicekit.database import Transaction
from servicekit.errors import RETRY_AFTER, Unavailable

T = TypeVar("T")
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between looks whether passwords from the same place have turned out right."""


@dataclass(frozen=True, slots=True)
class Try:
    """A password that is about to be compared."""

    key: bytes
    """Of the account from this network, or by the secret that its owner has shown."""
    known: bool = False
    """Whether it is counted by this key alone."""
    counted: tuple[tuple[Limit, str], ...] = ()
    """What else it was counted by."""
    in_flight: tuple[Limit, str] | None = None
    """What says that it is being compared."""
    wait: int | None = None
    """For how many seconds no more is looked at; None if this one is."""

    def refuse_more(self) -> None:
        """Called after the transaction that counts, so that what is refused is counted, too.

        Raises:
            TooManyAttempts: there were too many lately.
        """
        if self.wait is not None:
            raise too_many(self.wait)


UNCOUNTED = Try(b"")
"""Of whoever gives no password that could be guessed."""


@dataclass
class Crowded(Exception):  # nothing is wrong yet
    """So many passwords of a place are being compared that one more could be one too many."""

    seconds: int


def too_many(seconds: int) -> TooManyAttempts:
    """The refusal, and when to come again."""
    return TooManyAttempts(metadata={RETRY_AFTER: str(seconds)})


async def when_there_is_room(count: Callable[[], Awaitable[T]]) -> T:
    """Counts a try in a transaction of its own, again and again for three seconds while the place is crowded.

    So an office that logs in at once with right passwords waits for each other, and nobody is refused; and
    guessing in parallel gets no more tries than one after the other.

    Raises:
        TooManyAttempts: it is crowded still.
    """
    for pause in _PAUSES:
        try:
            return await count()
        except Crowded:
            await asyncio.sleep(pause)
    try:
        return await count()
    except Crowded as crowded:
        raise too_many(crowded.seconds) from None


async def count_try(app: App, tx: Transaction, account: str, *, by: Author, known: str = "") -> Try:
    """Counts one more try: for the account from this network, by place, by network, by account and of all.

    `known`: what is shown that only the account's owner has: a session, a remembered device, the link of an
    invitation. Never what neighbours have, too, like an address or the name of a browser: they would share
    its count, and see by what is refused whom we know. Such a try is counted for the account and that alone,
    so strangers lock nobody out of it. What one limit refuses is not compared, so it counts by no other: one
    place alone uses up no limit of all, and whoever waits for it has all tries at their own account after it.

    Raises:
        Crowded: the limit of the place is reached only with passwords that are being compared. `tx` is to be
            rolled back: it has counted.
    """
    key = known_attempt_key(account, known) if known else attempt_key(account, by.address)
    attempts, seconds_left = await account_store.count_attempt(tx, key)
    if attempts > ATTEMPTS:
        return Try(key, wait=seconds_left)
    if known:
        return Try(key, known=True)
    here, flight = place(by.address), app.guessing.in_flight
    so_far, seconds = await limits.step(tx, app.guessing.from_place, here)
    if so_far > app.guessing.from_place.most:
        if so_far - await limits.look(tx, flight, here) <= app.guessing.from_place.most:
            raise Crowded(seconds)
        await account_store.take_attempt_back(tx, key)
        return Try(key, wait=seconds)
    await limits.step(tx, flight, here)
    done = Try(key, counted=((app.guessing.from_place, here),), in_flight=(flight, here))
    axes = (
        (app.guessing.from_network, network(by.address)),
        (app.guessing.of_account, account),
        (app.guessing.of_all, ""),
    )
    for axis in axes:
        wait = await limits.count(tx, *axis)
        if wait is not None:
            await _give_back(tx, done)
            return Try(key, wait=wait)
        done = replace(done, counted=(*done.counted, axis))
    await limits.sweep(tx)
    return done


async def count_in_sessions(app: App, tx: Transaction, owner: UUID, password_hash: str, *, by: Author) -> Try:
    """Counts a password that is given in a session: with those in all other sessions of its owner.

    So who opens more of them, by switching or at a provider, gets no more tries. Log-ins are counted apart.
    Once another password is set, the wrong tries of before count no more.
    """
    return await count_try(app, tx, str(owner), by=by, known=f"sessions {password_hash}")


async def compare(app: App, done: Try, kept: str | None, password: str) -> Verdict:
    """Compares a counted try, outside of any transaction. What is right, or was not compared, counts no more.

    That is committed before anything else looks at the person: a right password that gets nobody in, because
    the organization wants another log-in, is no guess. It is also when the caller has gone.

    Raises:
        Unavailable: too many passwords wait to be compared; this one was not.
    """
    await held.settle()
    comparing = asyncio.ensure_future(app.passwords.verify(kept, password))
    settled = asyncio.ensure_future(_settled(app, done, comparing))
    try:
        return await asyncio.shield(settled)
    except asyncio.CancelledError:
        comparing.cancel()
        raise


async def _settled(app: App, done: Try, comparing: "asyncio.Future[Verdict]") -> Verdict:
    deadline.start(None)  # of this task alone: the caller's is over when they have gone
    held.bind(None)  # for the same reason
    try:
        verdict = await comparing
    except (Unavailable, asyncio.CancelledError):
        await _settle(app, done, fits=None)
        raise
    await _settle(app, done, fits=verdict.fits)
    return verdict


async def _settle(app: App, done: Try, *, fits: bool | None) -> None:
    """`fits` is None for what was not compared.

    A right one makes forgotten what was wrong before for the account from there. Elsewhere, and by what its
    owner is known, it takes back itself alone: so nobody clears their guesses at others by logging in to an
    own account, nor does the owner clear those of a thief in another session.
    """
    if not done.key or (fits is False and done.in_flight is None):
        return
    async with app.db.begin_platform(reason="say how a password has turned out") as tx:
        if fits is False and done.in_flight is not None:
            await limits.take_back(tx, *done.in_flight)
            return
        if fits and not done.known:
            await account_store.clear_attempts(tx, done.key)
        await _give_back(tx, done)


async def _give_back(tx: Transaction, done: Try) -> None:
    """The try does not count, by nothing that it was counted by."""
    await account_store.take_attempt_back(tx, done.key)
    for limit, who in done.counted:
        await limits.take_back(tx, limit, who)
    if done.in_flight is not None:
        await limits.take_back(tx, *done.in_flight)


async def count_factor(app: App, tx: Transaction, *, by: Author) -> None:
    """Counts one more second factor from a place and its network, before it is looked at, if `tx` commits.

    Those from one place are looked at one by one, so guessing at many people in parallel gains nothing.

    Raises:
        TooManyFactorAttempts: too many were wrong lately.
    """
    for limit, who in _factor_axes(app, by):
        wait = await limits.count(tx, limit, who)
        if wait is not None:
            raise TooManyFactorAttempts(metadata={RETRY_AFTER: str(wait)})
    await limits.sweep(tx)


async def take_factor_back(app: App, tx: Transaction, *, by: Author) -> None:
    """The second factor was right: it does not count."""
    for limit, who in _factor_axes(app, by):
        await limits.take_back(tx, limit, who)


def _factor_axes(app: App, by: Author) -> list[tuple[Limit, str]]:
    of_place = [(each, place(by.address)) for each in app.guessing.factors_from_place]
    return of_place + [(each, network(by.address)) for each in app.guessing.factors_from_network]
