"""Whether a second factor is wanted, and whether the one that was given is right. Opens no session.

Every door goes through here: whoever has a factor is asked for it, however the first one was given.
"""

import base64
from collections.abc import Iterable
from uuid import UUID

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.challenges import (
    CHALLENGE_LIFETIME,
    Challenge,
    Factor,
    GivenFactor,
    PendingLogIn,
    Purpose,
    RememberedDevice,
    secret_hash,
)
from auth.domain.connections import Connection
from auth.domain.passkeys import Passkey
from auth.domain.recovery_codes import code_hash
from auth.relying_party import Unacceptable
from auth.store import audit
from auth.store import challenges as store
from auth.store import factors as factor_store
from auth.store import passkeys as passkey_store
from auth.store import people as people_store
from auth.usecases.account_mails import write_to
from auth.usecases.guessing import count_factor, take_factor_back
from servicekit import ids, telemetry
from servicekit.database import Transaction

_log = telemetry.logger(__name__)
_TOTP = b"totp"


async def awaited_factor(
    tx: Transaction,
    user_id: UUID,
    *,
    methods: Iterable[str],
    device_token: str,
    connection: Connection | None = None,
) -> PendingLogIn | RememberedDevice | None:
    """What stands between the first factor and a session: a challenge, a remembered device, or nothing."""
    factors = await factor_store.list_factors(tx, user_id)
    if not factors:
        return None
    if device_token:
        device = await store.use_device(tx, user_id, secret_hash(device_token.encode()))
        if device is not None:
            return device
    secret, challenge = Challenge.issue(
        Purpose.SECOND_FACTOR,
        user_id,
        now=tx.now,
        methods=methods,
        connection_id=connection.id if connection else None,
        provider=connection.provider.identity if connection else None,
    )
    await store.insert_challenge(tx, challenge)
    seconds = int(CHALLENGE_LIFETIME.total_seconds())
    return PendingLogIn(base64.urlsafe_b64encode(secret).decode().rstrip("="), seconds, factors)


async def find_challenge(tx: Transaction, token: str) -> Challenge | None:
    """The log-in that waits for an answer with this token, locked; None when none does."""
    try:
        secret = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return await store.lock_challenge(tx, secret_hash(secret), Purpose.SECOND_FACTOR)


async def check_factor(
    app: App, tx: Transaction, user_id: UUID, given: GivenFactor, *, by: Author
) -> str | None:
    """How a right factor is called in `amr`; None for a wrong one, which is counted if `tx` commits.

    The answers of one person are looked at one by one, so guessing in parallel gains nothing. The use of a
    recovery code is recorded, and its owner is told.

    Raises:
        TooManyFactorAttempts: too many of theirs or from the place were wrong lately; nothing is looked at.
    """
    attempts = await factor_store.lock_attempts(tx, user_id)
    attempts.refuse_more(tx.now)
    await count_factor(app, tx, by=by)
    match given.factor:
        case Factor.TOTP:
            method = "otp" if await _accept_code(app, tx, user_id, given.secret) else None
        case Factor.RECOVERY_CODE:
            method = "rec" if await _use_recovery_code(tx, user_id, given.secret, by=by) else None
        case Factor.PASSKEY:
            passkey = await use_passkey(app, tx, given.secret)
            method = passkey.method if passkey is not None and passkey.user_id == user_id else None
    if method is None:
        await factor_store.save_attempts(tx, user_id, attempts.with_one_more(tx.now))
        _log.warning("second_factor_wrong", user=str(user_id), factor=given.factor.value)
    else:
        await take_factor_back(app, tx, by=by)
    return method


async def use_passkey(app: App, tx: Transaction, answer: str) -> Passkey | None:
    """The passkey that has signed a challenge of ours, which is used up; None when that does not hold."""
    try:
        claimed = app.relying_party.read(answer)
        challenge = await store.take_challenge(tx, secret_hash(claimed.challenge), Purpose.PASSKEY_ASSERTION)
        passkey = await passkey_store.lock_passkey(tx, claimed.credential_id)
        if challenge is None or passkey is None or claimed.user_handle != passkey.user_id.bytes:
            return None
        used = app.relying_party.verify_used(
            answer,
            challenge=claimed.challenge,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            backup_eligible=passkey.backup_eligible,
        )
    except Unacceptable:
        return None
    passkey = passkey.used(sign_count=used.sign_count, backed_up=used.backed_up, now=tx.now)
    await passkey_store.save_use(tx, passkey)
    return passkey


def bound_to(user_id: UUID) -> bytes:
    """What the secret of a person's authenticator app is sealed for."""
    return _TOTP + user_id.bytes


async def _accept_code(app: App, tx: Transaction, user_id: UUID, code: str) -> bool:
    totp = await factor_store.lock_totp(tx, user_id)
    if totp is None or totp.confirmed_at is None:
        return False
    secret = app.seal.open_up(totp.sealed_secret, bound_to=bound_to(user_id))
    accepted = totp.accept(secret, code, now=tx.now)
    if accepted is None:
        return False
    await factor_store.save_totp(tx, accepted)
    return True


async def _use_recovery_code(tx: Transaction, user_id: UUID, code: str, *, by: Author) -> bool:
    if not await factor_store.use_recovery_code(tx, user_id, code_hash(code)):
        return False
    user = await people_store.get_user(tx, user_id)
    if user is not None:
        await write_to(tx, MailKind.RECOVERY_CODE_USED, user, address=by.address)
    _, _, left = await factor_store.count_factors(tx, user_id)
    who = Author(ActorKind.USER, user_id, address=by.address, request_id=by.request_id)
    target = ids.show("usr", user_id)
    await audit.record(
        tx, PLATFORM_CHAIN, who, Action.RECOVERY_CODE_USED, target=target, after={"left": left}
    )
    return True
