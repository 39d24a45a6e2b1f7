"""Limits on guessing. Every try is counted before the password or the second factor is looked at."""

from dataclasses import dataclass

from auth.app import App
from auth.domain.accounts import ATTEMPTS, TooManyAttempts, attempt_key
from auth.domain.audit import Author
from auth.domain.challenges import TooManyFactorAttempts
from auth.domain.limits import Limit, place
from auth.store import accounts as account_store
from auth.store import limits
from servicekit.database import Transaction
from servicekit.errors import RETRY_AFTER


@dataclass(frozen=True, slots=True)
class Try:
    """A password that is about to be compared."""

    key: bytes
    """Of the account from this place."""
    counted: tuple[tuple[Limit, str], ...]
    """What else it was counted by."""
    wait: int | None
    """For how many seconds no more is looked at; None if this one is."""

    def refuse_more(self) -> None:
        """Called after the transaction that counts, so that what is refused is counted, too.

        Raises:
            TooManyAttempts: there were too many lately.
        """
        if self.wait is not None:
            raise TooManyAttempts(metadata={RETRY_AFTER: str(self.wait)})


UNCOUNTED = Try(b"", (), None)
"""Of whoever gives no password that could be guessed."""


async def count_try(app: App, tx: Transaction, account: str, *, by: Author, known: bool) -> Try:
    """Counts one more try: for the account from this place, from the place, for the account, and of all.

    `known`: the account's owner has been where it comes from, or is in a session. Such a try is not counted
    by account and of all, so that strangers who use those up lock nobody out of their own account. What one
    limit refuses is not counted by the next: one place alone uses up no limit of all.
    """
    key = attempt_key(account, by.address)
    attempts, seconds_left = await account_store.count_attempt(tx, key)
    if attempts > ATTEMPTS:
        return Try(key, (), seconds_left)
    axes = [(app.guessing.from_place, place(by.address))]
    if not known:
        axes += [(app.guessing.of_account, account), (app.guessing.of_all, "")]
    counted: list[tuple[Limit, str]] = []
    wait = None
    for limit, who in axes:
        counted.append((limit, who))
        wait = await limits.count(tx, limit, who)
        if wait is not None:
            break
    await limits.sweep(tx)
    return Try(key, tuple(counted), wait)


async def take_back(tx: Transaction, done: Try) -> None:
    """The password was right: forgets the tries for the account from this place, and this one elsewhere.

    Elsewhere only this one, so that nobody clears their guesses at others by logging in to an own account.
    """
    await account_store.clear_attempts(tx, done.key)
    for limit, who in done.counted:
        await limits.take_back(tx, limit, who)


async def count_factor(app: App, tx: Transaction, *, by: Author) -> None:
    """Counts one more second factor from a place, before it is looked at. It is kept if `tx` commits.

    Those from one place are looked at one by one, so guessing at many people in parallel gains nothing.

    Raises:
        TooManyFactorAttempts: too many were wrong lately.
    """
    for limit in app.guessing.factors_from_place:
        wait = await limits.count(tx, limit, place(by.address))
        if wait is not None:
            raise TooManyFactorAttempts(metadata={RETRY_AFTER: str(wait)})
    await limits.sweep(tx)


async def take_factor_back(app: App, tx: Transaction, *, by: Author) -> None:
    """The second factor was right: it does not count."""
    for limit in app.guessing.factors_from_place:
        await limits.take_back(tx, limit, place(by.address))
