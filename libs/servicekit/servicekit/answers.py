"""Answers to calls with an Idempotency-Key, kept for a day in the transaction of the effect, and sealed.

Whoever reads the table reads no answer: one opens with the key's text and the request, and neither is there.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from servicekit import deadline, held, idempotency, ids, telemetry
from servicekit.contract import Rpc
from servicekit.database import Database, mapped
from servicekit.errors import RETRY_AFTER, AppError, IdempotencyKeyInFlight, IdempotencyKeyReused, Kind
from servicekit.held import Held
from servicekit.identity import Caller

_LONGEST_SECONDS = 30.0
_GRACE_SECONDS = 1.0
_NONCE = 12
_KEPT = "interval '24 hours'"
_NAMING = (
    "venue_id",
    "token",
    "email",
    "organization_id",
    "refresh_token",
    "challenge",
    "credential",
    "key",
    "code",  # the last one: beside a challenge it is what somebody tries, under one key or another
)
"""Fields that say whose a call of somebody anonymous is, by the first one that the request has.

Strangers may well think of the same key.
"""
_PASSING = {Kind.CONFLICT, Kind.UNAVAILABLE, Kind.TOO_LATE, Kind.INTERNAL}
"""Refusals that say nothing about the request: as if it had never been made."""

_CLAIM = f"""
INSERT INTO answers AS a (key, fingerprint, claim, claimed_until)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, claim = excluded.claim,
    claimed_until = excluded.claimed_until, sealed = NULL, created_at = now()
WHERE a.created_at < now() - {_KEPT}
   OR a.sealed IS NULL AND a.claimed_until < clock_timestamp() AND a.fingerprint = excluded.fingerprint
RETURNING true
"""  # noqa: S608  # words of ours
_FIND = """
SELECT fingerprint, sealed, extract(epoch FROM claimed_until - clock_timestamp())::float8 AS seconds
FROM answers WHERE key = $1
"""
_KEEP = sa.text("UPDATE answers SET sealed = :sealed WHERE key = :key AND claim = :claim").bindparams(
    sa.bindparam("claim", type_=sa.Uuid)
)
_KEEP_BARE = "UPDATE answers SET sealed = $3 WHERE key = $1 AND claim = $2 RETURNING true"
_RELEASE = "DELETE FROM answers WHERE key = $1 AND claim = $2 AND sealed IS NULL"
_KEEP_OF_RESOURCE = f"""
INSERT INTO answers AS a (key, fingerprint, claim, claimed_until, sealed) VALUES ($1, $2, $3, now(), $4)
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, sealed = excluded.sealed,
    created_at = now()
WHERE a.created_at < now() - {_KEPT}
"""  # noqa: S608  # words of ours

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the answer to one call is kept, and what opens it."""

    key: bytes
    fingerprint: bytes
    _secret: bytes = field(repr=False)

    @classmethod
    def of(cls, rpc: Rpc, caller: Caller, request: Message, text: str) -> "Slot":
        """The slot of a caller's key: of the organization, the person and the key or operator that call.

        Nothing else says whose a key is. Only the hash of the text is kept. The fingerprint is keyed with it,
        and what seals is made of text and request, because requests hold passwords and answers hold tokens.
        """
        raw = request.SerializeToString(deterministic=True)
        whose = [rpc.path, caller.kind.value, caller.organization, caller.user, caller.key, caller.operator]
        if caller.user is None and caller.key is None and caller.operator is None:
            whose.append(_named(request))
        scope = b"\0".join(hashlib.sha256(str(each).encode()).digest() for each in (*whose, text))
        derived = HKDF(SHA256(), 32, salt=None, info=b"comptoir answers " + rpc.path.encode())
        secret = derived.derive(text.encode())
        return cls(
            hashlib.sha256(scope).digest(),
            hmac.digest(secret, b"fingerprint" + raw, "sha256"),
            hmac.digest(secret, b"seal" + raw, "sha256"),
        )

    @property
    def for_effect(self) -> idempotency.Key:
        """The same key, for work that ties what it makes to it: of the same callers, and no others."""
        return idempotency.Key(self.key.hex(), self.fingerprint)

    def seal(self, answer: bytes) -> bytes:
        """The answer, encrypted and bound to this slot."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._secret).encrypt(nonce, answer, self.key)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises InvalidTag for another slot's."""
        return AESGCM(self._secret).decrypt(sealed[:_NONCE], sealed[_NONCE:], self.key)


def _named(request: Message) -> str:
    """What a request says of whose it is, where its caller is not known; empty when it has no such field."""
    fields = request.DESCRIPTOR.fields_by_name
    name = next((each for each in _NAMING if each in fields), None)
    return f"{name} {getattr(request, name)}".lower() if name else ""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and whether it is an earlier call's."""

    message: Message
    replayed: bool = False


_Work = Callable[[], Awaitable[Message]]


class Answers:
    """Has each call with a key done once, and answers its repetitions like the first one."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def answer(self, rpc: Rpc, slot: Slot, work: _Work) -> Answered:
        """The answer that is kept, or the one of `work`, which is then kept together with its effect.

        Nothing is kept of a refusal.

        Raises:
            IdempotencyKeyReused: the key came with another request before.
            IdempotencyKeyInFlight: that request is being worked on.
        """
        if rpc.policy is not None and rpc.policy.answers_resource:
            return await self._of_resource(rpc, slot, work)
        claim, call = ids.new(), Held(mapped)
        try:
            claimed, found = await self._claim(slot, claim)
            if claimed:
                message = await _holding(call, work)
                await self._keep(slot, claim, call, message.SerializeToString())
                return Answered(message)
        # The cancelled give back, too; and when claiming broke off, nobody knows whether it was heard.
        except BaseException as error:
            await _to_the_end(self._withdraw(slot, claim, call, error))
            raise
        return Answered(rpc.response.FromString(_kept(slot, found)), replayed=True)

    async def _claim(self, slot: Slot, claim: UUID) -> tuple[bool, Any]:
        """Takes the slot, or finds who has it. A claim that a dead process left is taken over."""
        left = deadline.remaining()
        seconds = min(_LONGEST_SECONDS, _LONGEST_SECONDS if left is None else left) + _GRACE_SECONDS
        async with self._db.driver() as connection:
            if await connection.fetchval(_CLAIM, slot.key, slot.fingerprint, claim, seconds):
                return True, None
            return False, await connection.fetchrow(_FIND, slot.key)

    async def _keep(self, slot: Slot, claim: UUID, call: Held, answer: bytes) -> None:
        """Writes the answer into the transaction of the effect and commits both, or neither."""
        sealed = slot.seal(answer)

        async def write(connection: AsyncConnection) -> None:
            values = {"key": slot.key, "claim": claim, "sealed": sealed}
            if not (await connection.execute(_KEEP, values)).rowcount:
                raise IdempotencyKeyInFlight(metadata={RETRY_AFTER: "1"})  # too slow: somebody took it over

        if not await call.finish(write):
            async with self._db.driver() as connection:
                await connection.fetchval(_KEEP_BARE, slot.key, claim, sealed)

    async def _withdraw(self, slot: Slot, claim: UUID, call: Held, error: BaseException) -> None:
        """Ends a call that was refused or broke off. What a refusal wrote stays: tries that were counted."""
        try:
            if isinstance(error, AppError) and error.kind not in _PASSING:
                await call.finish(None)
            else:
                await call.give_up()
        finally:
            await self._release(slot, claim)

    async def _release(self, slot: Slot, claim: UUID) -> None:
        """Gives the slot back unless the answer is in it. If that fails, the claim's time runs out."""
        try:
            async with self._db.driver() as connection:
                await connection.execute(_RELEASE, slot.key, claim)
        except AppError as error:
            _log.warning("claim_left", reason=error.reason)

    async def _of_resource(self, rpc: Rpc, slot: Slot, work: _Work) -> Answered:
        """For work that ties its effect to the key by itself: keeping the answer costs it one statement."""
        idempotency.start()
        message = await work()
        if not idempotency.repeated():
            try:
                async with self._db.driver() as connection:
                    sealed = slot.seal(message.SerializeToString())
                    await connection.execute(_KEEP_OF_RESOURCE, slot.key, slot.fingerprint, ids.new(), sealed)
            except AppError as error:  # the effect is safe, and a repetition is answered from it
                _log.warning("answer_not_kept", reason=error.reason)
            return Answered(message)
        async with self._db.driver() as connection:
            found = await connection.fetchrow(_FIND, slot.key)
        if found is None or found["sealed"] is None:
            return Answered(message, replayed=True)
        try:
            return Answered(rpc.response.FromString(slot.open(found["sealed"])), replayed=True)
        except InvalidTag:
            return Answered(message, replayed=True)


async def _holding(call: Held, work: _Work) -> Message:
    """Does the work within the call's transaction, which stays open."""
    held.bind(call)
    try:
        return await work()
    finally:
        held.bind(None)


def _kept(slot: Slot, found: Any) -> bytes:
    """The answer in a slot that another call has, or had. Raises like `answer`."""
    if found is None:  # given back this very moment
        raise IdempotencyKeyInFlight(metadata={RETRY_AFTER: "1"})
    if not hmac.compare_digest(found["fingerprint"], slot.fingerprint):
        raise IdempotencyKeyReused
    if found["sealed"] is None:
        raise IdempotencyKeyInFlight(metadata={RETRY_AFTER: "1"})
    return slot.open(found["sealed"])


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Waits for what must not be cut off, though the call itself was cancelled."""
    await asyncio.shield(asyncio.ensure_future(work))
